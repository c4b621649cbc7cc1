import { PythonError } from "./python-error.js";

/** What one rendering may take; see {@link DEFAULT_LIMITS}. */
export interface RenderLimits {
  /** Steps of work: an expression, a pass of a loop, an item of a list, some 64 letters that are searched or copied. */
  steps: number;
  /** Bytes of texts and lists that are made, whether they are kept or not. */
  bytes: number;
}

/**
 * The longest rows that people train on take some ten thousand steps and ten times their length in bytes. Two million steps are half a second on a
 * slow machine, 128 MiB fit into any, and both are a hundred times what a template needs that means no harm.
 */
export const DEFAULT_LIMITS: Readonly<RenderLimits> = { steps: 2_000_000, bytes: 2 ** 27 };

/** Bytes of an entry of a list, with what V8 keeps free behind it. */
const ITEM_BYTES = 16;

/**
 * What is left of the budget of the rendering that runs. Rendering is synchronous, so there is one at a time; operators, filters and methods all spend
 * from it without being handed it, because a way past one of them is a way past the bound. Whole numbers, which V8 counts down without an object.
 * Compiling has no budget: what it makes is in proportion to the template, whose length is bounded.
 */
let stepsLeft = Infinity;
let bytesLeft = Infinity;
let current: Readonly<RenderLimits> = { steps: Infinity, bytes: Infinity };

/** Runs a rendering within limits. Whatever spends more inside throws a `PythonError`. */
export function within<Result>(limits: Readonly<RenderLimits>, run: () => Result): Result {
  const outer = { current, stepsLeft, bytesLeft };
  ({ steps: stepsLeft, bytes: bytesLeft } = limits);
  current = limits;
  try {
    return run();
  } finally {
    ({ current, stepsLeft, bytesLeft } = outer);
  }
}

/** Spends steps. */
export function spend(steps: number): void {
  if ((stepsLeft -= steps) < 0) exhausted();
}

/** Spends what a text of a length takes to make, in UTF-16 units. Called before it is made. */
export function spendText(length: number): void {
  if ((bytesLeft -= 2 * length) < 0) exhausted();
  if (length > 63) spend(Math.floor(length / 64));
}

/** Spends what a list takes to make; `bytesEach` where its items are made with it. Called before it is made. */
export function spendItems(count: number, bytesEach = 0): void {
  if ((bytesLeft -= count * (ITEM_BYTES + bytesEach)) < 0) exhausted();
  if (count > 3) spend(Math.floor(count / 4));
}

/** Spends what reading a text from end to end takes, a letter at a time where `slowly`. */
export function spendReading(length: number, slowly = false): void {
  if (length > 7) spend(slowly ? length >>> 3 : length >>> 6);
}

function exhausted(): never {
  const [type, field] = bytesLeft < 0 ? (["MemoryError", "bytes"] as const) : (["TimeoutError", "steps"] as const);
  throw new PythonError(
    type,
    `the template takes more than ${current[field]} ${field} to render; mend the template or shorten what it is given, or allow more with limits.${field}`,
  );
}
