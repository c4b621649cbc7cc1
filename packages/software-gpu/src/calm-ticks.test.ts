import { promisify } from "node:util";
import { describe, expect, it } from "vitest";
import { calmTicks } from "./calm-ticks.js";

/** A scope whose `setImmediate` notes what reaches it. */
function watched(): { scope: { setImmediate: typeof setImmediate }; seen: unknown[] } {
  const seen: unknown[] = [];
  const noting = (callback: (...args: unknown[]) => void, ...args: unknown[]): NodeJS.Immediate => {
    seen.push(callback);
    return setImmediate(callback, ...args);
  };
  Object.defineProperties(noting, Object.getOwnPropertyDescriptors(setImmediate));
  const scope = { setImmediate: noting as typeof setImmediate };
  calmTicks(scope);
  return { scope, seen };
}

describe("calmTicks", () => {
  it("leaves callbacks of JavaScript, and those that settle a promise, as they were, with arguments and Immediate", async () => {
    const { scope, seen } = watched();
    await new Promise<void>((resolve) => {
      scope.setImmediate((...args: unknown[]) => (expect(args).toEqual(["a", 2]), resolve()), "a", 2);
    });
    await new Promise<void>((resolve) => scope.setImmediate(resolve));
    await new Promise<void>((resolve) => scope.setImmediate(resolve.bind(undefined, undefined)));
    clearImmediate(scope.setImmediate(() => expect.unreachable()));
    expect(seen).toHaveLength(4);
    expect(await promisify(scope.setImmediate)("kept")).toBe("kept");
    expect(scope.setImmediate.name).toBe("setImmediate");
  });
});
