import { expect, it } from "vitest";
import { isLoopback } from "./loopback.js";

it.each([
  ["127.0.0.1", true],
  ["127.1.2.3", true],
  ["::1", true],
  ["localhost", true],
  ["0.0.0.0", false],
  ["192.0.2.1", false],
  ["::", false],
  ["127.0.0.1.invalid", false],
])("%s: this machine alone is %s", async (host, expected) => {
  expect(await isLoopback(host)).toBe(expected);
});
