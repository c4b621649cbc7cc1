import { errorCodes, type ErrorCode } from "@kto/core";
import { deviceErrors } from "./device-errors.js";
import type { Explanation } from "./explanation.js";
import { fileErrors } from "./file-errors.js";
import { inputErrors } from "./input-errors.js";

export type { Explanation } from "./explanation.js";

/** Codes that only the command prints, for what the libraries have no error of. */
const commandCodes = {
  FILE: "the file system refused to read or write",
  UNEXPECTED: "a mistake in kto itself",
} as const;

/** What stands in `error[…]` of the command's lines. */
export type PrintedCode = ErrorCode | keyof typeof commandCodes;

/** Every code that the command prints, and what it means in one line. */
export const printedCodes: Readonly<Record<PrintedCode, string>> = { ...errorCodes, ...commandCodes };

/** Of each code what may be behind it and what to do: what `kto explain` prints, and the pages of Troubleshooting. */
export const explanations: Readonly<Record<PrintedCode, Explanation>> = { ...inputErrors, ...fileErrors, ...deviceErrors };
