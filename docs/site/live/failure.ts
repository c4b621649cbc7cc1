import { isKtoError, type ErrorCode } from "@kto/core";
import type { Failure } from "./messages.js";

/** An error as the page shows it. */
export function failureOf(error: unknown): Failure {
  if (isKtoError(error)) return { code: error.code, message: error.message };
  return { code: undefined, message: error instanceof Error ? `${error.name}: ${error.message}` : String(error) };
}

/** What somebody who reads this page can do about it; undefined where the message says all. */
export function adviceOn({ code }: Failure): string | undefined {
  return code === undefined ? undefined : advice[code as ErrorCode];
}

const advice: Partial<Record<ErrorCode, string>> = {
  OUT_OF_MEMORY: "The browser gave no more memory of the GPU. Close other tabs and programs that use it, then try again.",
  DEVICE_LOST:
    "The browser took the GPU away: the driver was reset, the machine slept, or another page crashed it. What was trained up to the last checkpoint is kept.",
  OUTPUT: "One tab trains at a time, since all of them write to the same files. Stop the run in the other tab, or close it.",
  WRITE: "The browser kept no more files of this site. Free some space, then go on.",
};
