type Callback = (...args: unknown[]) => void;

/**
 * Lets Node sleep a millisecond at a time while Dawn waits for its device. Dawn asks at each `setImmediate` whether the work is done, which keeps one
 * core busy; a GPU does not mind, but SwiftShader computes on that core. Whatever else calls `setImmediate` gets what it always did.
 */
export function calmTicks(scope: { setImmediate: typeof setImmediate } = globalThis): void {
  const original = scope.setImmediate;
  const later = setTimeout; // that of now: tests put others in its place
  const calm = (callback: Callback, ...args: unknown[]): unknown =>
    args.length === 0 && isTick(callback) ? later(callback, 1) : original(callback, ...args);
  Object.defineProperties(calm, Object.getOwnPropertyDescriptors(original)); // its name, and its form for util.promisify
  scope.setImmediate = calm as typeof setImmediate;
}

/** A function that an addon made: JavaScript's show their text, built-in and bound ones have a name, and those that settle a promise a parameter. */
function isTick(callback: Callback): boolean {
  return callback.name === "" && callback.length === 0 && Function.prototype.toString.call(callback).endsWith("{ [native code] }");
}
