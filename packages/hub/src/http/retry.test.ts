import { expect, it } from "vitest";
import { PassingFailure, Retries, parseRetryAfter } from "./retry.js";

it("reads Retry-After as seconds or as a date", () => {
  const now = Date.parse("2024-01-01T00:00:00Z");
  expect(parseRetryAfter(null)).toBeUndefined();
  expect(parseRetryAfter("2", now)).toBe(2000);
  expect(parseRetryAfter("0.25", now)).toBe(250);
  expect(parseRetryAfter("Mon, 01 Jan 2024 00:00:07 GMT", now)).toBe(7000);
  expect(parseRetryAfter("Sun, 31 Dec 2023 00:00:00 GMT", now)).toBe(0);
  expect(parseRetryAfter("soon", now)).toBeUndefined();
});

it("waits longer from one attempt to the next, and afresh after a reset", async () => {
  const delays: number[] = [];
  const retries = new Retries({ count: 4, baseMs: 2 }, undefined, (_, delayMs) => delays.push(delayMs));
  const failure = new PassingFailure("cut");
  for (let i = 0; i < 4; i++) await retries.wait(failure, {});
  delays.forEach((delay, i) => expect(Math.abs(delay - 2 * 2 ** i)).toBeLessThanOrEqual(2 ** i));
  await expect(retries.wait(failure, { file: "x" })).rejects.toMatchObject({
    code: "HUB",
    reason: "unreachable",
    file: "x",
    message: "hub: cut (5 attempts); check the network and the address of the hub",
  });
  retries.reset();
  await retries.wait(failure, {});
});

it("soon gives an address up at which nobody listens, but not a transfer that has moved", async () => {
  const failure = new PassingFailure("refused", {
    cause: new TypeError("fetch failed", { cause: Object.assign(new Error(""), { code: "ECONNREFUSED" }) }),
  });
  const attempts = async (retries: Retries): Promise<number> => {
    for (let count = 1; ; count++) {
      try {
        await retries.wait(failure, {});
      } catch {
        return count;
      }
    }
  };
  expect(await attempts(new Retries({ count: 5, baseMs: 1 }, undefined))).toBe(3);
  expect(await attempts(new Retries({ count: 1, baseMs: 1 }, undefined))).toBe(2);
  const moved = new Retries({ count: 5, baseMs: 1 }, undefined);
  moved.reset();
  expect(await attempts(moved)).toBe(6);
});

it("passes other errors on, and has no patience without end", async () => {
  const retries = new Retries(undefined, undefined);
  await expect(retries.wait(new TypeError("mistake"), {})).rejects.toThrow(TypeError);
  const patient = new PassingFailure("too many requests", { status: 429, retryAfterMs: 3_600_000 });
  await expect(retries.wait(patient, {})).rejects.toMatchObject({
    status: 429,
    message: "hub: too many requests (1 attempts); try again in 3600 s",
  });
  const stopped = new Retries(undefined, AbortSignal.abort(new Error("enough")));
  await expect(stopped.wait(new PassingFailure("cut"), {})).rejects.toThrow(/^enough$/);
});
