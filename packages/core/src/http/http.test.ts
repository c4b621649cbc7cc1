import { expect, it } from "vitest";
import { eventStream } from "./event-stream.js";
import { isLocalHost } from "./local-host.js";
import { Secret } from "./secret.js";

it.each([
  ["127.0.0.1", true],
  ["[::1]", true],
  ["192.0.2.1", true],
  ["localhost", true],
  ["localhost.", true],
  ["a.localhost", true],
  ["localhost.invalid", false],
  ["127.0.0.1.invalid", false],
  ["invalid", false],
  ["", false],
])("the host %s is this machine's or an address: %s", (host, expected) => {
  expect(isLocalHost(host)).toBe(expected);
});

it("a secret is itself and nothing else", async () => {
  const secret = new Secret("right");
  expect(await Promise.all(["right", "Right", "right ", "", "righ"].map((given) => secret.is(given)))).toEqual([
    true,
    false,
    false,
    false,
    false,
  ]);
});

it("events are taken as they are read, and a reader that goes is told of", async () => {
  let numMade = 0;
  async function* events(): AsyncGenerator<object | string> {
    for (;;) yield numMade++ === 0 ? { text: "a\nb" } : "[DONE]";
  }
  let hasLeft = false;
  const reader = eventStream(events(), () => (hasLeft = true)).getReader();
  const read = async (): Promise<string> => new TextDecoder().decode((await reader.read()).value);
  expect([await read(), await read()]).toEqual(['data: {"text":"a\\nb"}\n\n', "data: [DONE]\n\n"]);
  expect(numMade).toBeLessThan(5);
  await reader.cancel();
  expect(hasLeft).toBe(true);
});
