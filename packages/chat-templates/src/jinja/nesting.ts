import { PythonError } from "./python-error.js";

/**
 * How deep templates may nest. Python's own stack ends at 69 brackets, 98 blocks, 490 signs before an operand and 490 operators in a row; ours is used up
 * by the parser of the library at some 500 brackets. Python walks through data of 490 levels.
 */
export const MAX_NESTING = { brackets: 100, blocks: 100, signs: 500, operators: 500, branches: 500, levels: 500 } as const;

/** Refuses what nests deeper than allowed, as Python's RecursionError. */
export function expectDepth(what: keyof typeof MAX_NESTING, depth: number, line?: number): void {
  if (depth <= MAX_NESTING[what]) return;
  const whose = what === "levels" ? "a variable of the template" : "the template";
  throw new PythonError(
    "RecursionError",
    `${whose} nests too deeply; expected at most ${MAX_NESTING[what]} ${what} inside each other`,
    line,
  );
}

/** Runs what may use up the stack, and says so as Python's RecursionError. */
export function guardStack<Result>(lineOf: () => number | undefined, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    const { name, message } = error as Partial<Error>; // a stack may end in another realm, whose RangeError is not ours
    if (name !== "RangeError") throw error;
    throw new PythonError("RecursionError", `the template or its variables nest too deeply (${message})`, lineOf());
  }
}
