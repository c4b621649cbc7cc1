import { describeError, type ErrorText, isKtoError, KtoError, type RanksError } from "@kto/core";
import { snakeCase } from "@kto/core/config";
import type { RowError } from "@kto/datasets";
import type { HubError, HubErrorReason } from "@kto/hub";

/** The command line or a config is wrong; every mistake is a line of its own. */
export class ConfigError extends KtoError {
  override name = "ConfigError";
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super("CONFIG", mistakes.join("\n"));
    this.mistakes = mistakes;
  }
}

/** The reason of an abort: SIGINT, SIGTERM, or the caller's signal; or what came of one, with what was kept. */
export class InterruptedError extends KtoError {
  override name = "InterruptedError";
  constructor(text: ErrorText) {
    super("INTERRUPTED", text);
  }
}

/** What to throw for an error that ends a command: for that of an abort by `signal`, one that says in `text` what was kept. */
export function interruption(error: unknown, signal: AbortSignal | undefined, text: string): unknown {
  return signal?.aborted === true && error === signal.reason ? new InterruptedError(text) : error;
}

/** Exit statuses of every command. */
export const exitStatus = { done: 0, failed: 1, wrongInput: 2, interrupted: 130 } as const;

const explanations: Readonly<Record<string, string>> = {
  ENOSPC: "the disk is full; free some space and go on with --resume_from_checkpoint true",
  EDQUOT: "the disk quota is used up; free some space and go on with --resume_from_checkpoint true",
  EACCES: "permission denied; choose another folder",
  EROFS: "the file system is read-only; choose another folder",
  ENOTDIR: "a part of the path is a file; choose another path",
};

/** One line for each thing that is wrong: `kto: error[CODE]: what is wrong; expected …, got …; what to do`. */
export function errorLines(error: unknown): string[] {
  if (error instanceof ConfigError) return error.mistakes.map((mistake) => line("CONFIG", mistake));
  if (isRowError(error)) return error.mistakes.map((mistake) => line("ROW", mistake));
  if (isKtoError(error)) return [line(error.code, describeError(error, fieldName))];
  const { code, syscall, path, message } = (error ?? {}) as NodeJS.ErrnoException;
  if (code !== undefined && syscall !== undefined) {
    return [
      line("FILE", `${syscall} ${path ?? ""}: expected it to succeed, got ${code}: ${explanations[code] ?? "the file system refused"}`),
    ];
  }
  return [line("UNEXPECTED", `${message ?? String(error)}; this is a mistake in kto; run again with --debug and report what it prints`)];
}

/** Names of the libraries that the command spells otherwise than by rule: fields, and flags to add to the command line. */
const otherNames: Readonly<Record<string, string>> = {
  "device.memory.budgetBytes": "max_memory",
  device: "--device",
  importance: "--imatrix",
  overwrite: "--overwrite_output_dir",
  resumeFrom: "--resume_from_checkpoint",
};

/** A library's name of a field as configs and flags spell it. */
export function fieldName(field: string): string {
  return otherNames[field] ?? snakeCase(field);
}

/** True for what is wrong with rows, a sentence for each kind of mistake; also one made by another copy of the package. */
function isRowError(error: unknown): error is RowError {
  return isKtoError(error) && error.code === "ROW";
}

/** True for an error of the hub, its network or its cache, also one made by another copy of the package. */
export function isHubError(error: unknown): error is HubError {
  return isKtoError(error) && error.code === "HUB";
}

/** True for what ends all ranks of a run, also one made by another copy of the package. */
export function isRanksError(error: unknown): error is RanksError {
  return isKtoError(error) && error.code === "RANKS";
}

/** True for a folder that a run cannot take: nothing was written to it. */
function isOutputError(error: unknown): boolean {
  return isKtoError(error) && error.code === "OUTPUT";
}

/** True if an error tells that a file could not be written or read. */
function isFileSystemError(error: unknown): boolean {
  return (error as NodeJS.ErrnoException | undefined)?.syscall !== undefined;
}

function line(code: string, message: string): string {
  return `kto: error[${code}]: ${message.trim().replace(/\s*\n\s*/g, " ")}`;
}

/** Errors of a device that gave up while it worked, or of ranks that did: a failure, not a wrong input. */
const failures: ReadonlySet<string> = new Set(["DEVICE_LOST", "OUT_OF_MEMORY", "KERNEL", "DISPOSED", "RANKS"]);

/** What the network or the disk did; the other reasons of HubError tell of a name, a token or a cache that does not hold what was asked for. */
const hubFailures: ReadonlySet<HubErrorReason> = new Set(["refused", "unreachable", "checksum", "noSpace", "cache"]);

/** How an error ends a command: its lines on stderr, and the exit status. `begun`: the input was found good and work had begun. */
export function endOf(
  error: unknown,
  { begun, signal }: { begun: boolean; signal: AbortSignal | undefined },
): { lines: string[]; status: number } {
  if (error instanceof InterruptedError && error !== signal?.reason)
    return { lines: [`kto: ${error.message}`], status: exitStatus.interrupted };
  if (signal?.aborted && (error === signal.reason || (error as Error | undefined)?.name === "AbortError"))
    return { lines: ["kto: interrupted; nothing was written"], status: exitStatus.interrupted };
  return { lines: errorLines(error), status: statusOf(error, begun) };
}

function statusOf(error: unknown, begun: boolean): number {
  if (error instanceof ConfigError || isOutputError(error) || (isRanksError(error) && error.isUnlike)) return exitStatus.wrongInput;
  if (begun || !(isKtoError(error) || isFileSystemError(error))) return exitStatus.failed;
  if (!isKtoError(error)) return exitStatus.wrongInput;
  const isFailure = isHubError(error) ? hubFailures.has(error.reason) : failures.has(error.code);
  return isFailure ? exitStatus.failed : exitStatus.wrongInput;
}

/** The stack of an error and of everything that caused it. */
export function stackOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? (error.stack ?? error.message) : `${error.stack}\ncaused by ${stackOf(error.cause)}`;
}
