import { FormatError, isKtoError } from "@kto/core";

/** Ends the reading of a Parquet file of which a part is not what it should be. */
export type Fail = (problem: string) => never;

/** A {@link Fail} for the file `name`; `where` says in which part of it. */
export function failing(name: string, where: string): Fail {
  return (problem) => {
    throw damaged(name, `${where}: ${problem}`);
  };
}

/** The error for a file that is whole and yet not read here; `got` says what it has, `advice` how to write it. */
export function unreadable(name: string, expected: string, got: string, advice: string): FormatError {
  return new FormatError(`readParquet: ${name} cannot be read here; expected ${expected}, got ${got}; ${advice}`, { source: name });
}

/** The error for a file that becomes more than a table of its size does. */
export function tooLarge(name: string, where: string, expected: string, got: string, advice: string): FormatError {
  return new FormatError(`readParquet: ${name} becomes too large (${where}); expected ${expected}, got ${got}; ${advice}`, {
    source: name,
  });
}

/** What a reader that is handed damaged bytes throws, as a `FormatError` that names the file and the place; one that names a file passes as it is. */
export function asDamage(cause: unknown, name: string, where: string): Error {
  if (isKtoError(cause) && (cause as FormatError).source !== undefined) return cause;
  return damaged(name, `${where}: ${cause instanceof Error ? cause.message : "it cannot be decoded"}`, cause);
}

function damaged(name: string, problem: string, cause?: unknown): FormatError {
  return new FormatError(
    `readParquet: ${name} is damaged; expected a complete Parquet file, got one where ${problem}; download it or write it again`,
    { source: name, cause },
  );
}
