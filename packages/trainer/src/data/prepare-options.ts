import { DataPreparationError } from "./errors.js";
import type { TokenCache } from "./token-cache.js";
import type { TokenizeOptions } from "./tokenize-row.js";
import type { OpenWorkers } from "./tokenize-workers.js";

/** How far preparation has come. */
export interface PrepareProgress {
  done: number;
  total: number;
  /** First every row is looked at, then each is tokenised. */
  stage: "checking" | "tokenizing";
}

/** What every method is told when it prepares data. */
export interface PrepareOptions extends TokenizeOptions {
  /** Rows whose prompt alone is this long are dropped, longer rows keep their start; null for neither. Default 1024, as in trl. */
  maxLength?: number | null | undefined;
  /** Refuses data of which rows would be dropped. Default false: they are dropped and counted. */
  strict?: boolean | undefined;
  /** Which data it is, where a method prepares that to evaluate on otherwise. Default `train`. */
  split?: "train" | "eval" | undefined;
  /** Where tokenised rows are kept from one run to the next, and read from during this one; without it they are in memory. */
  cache?: TokenCache | undefined;
  /** Starts threads that tokenise; what comes of it is the same with and without. Needs a tokenizer that tells its `parts`. */
  workers?: OpenWorkers | undefined;
  /** Called every hundred rows and at the end. */
  onProgress?: ((progress: PrepareProgress) => void) | undefined;
  /** Stops the work; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

const rowsBetweenReports = 100;

/** Reports progress, and now and then lets other work of the event loop run. Rejects with `signal.reason` when told to stop. */
export async function reportProgress(done: number, total: number, { onProgress, signal }: PrepareOptions): Promise<void> {
  if (done % rowsBetweenReports !== 0 && done !== total) return;
  onProgress?.({ done, total, stage: "tokenizing" });
  await letOthersRun(signal);
}

/** Lets other work of the event loop run. Rejects with `signal.reason` when told to stop. */
export async function letOthersRun(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve));
  signal?.throwIfAborted();
}

/** Throws DataPreparationError unless `maxLength` is null or leaves room for a prompt and a completion. */
export function expectMaxLength(maxLength: number | null): void {
  if (maxLength === null || (Number.isInteger(maxLength) && maxLength >= 2)) return;
  throw new DataPreparationError(
    `data: maxLength is not a number of tokens; expected an integer of at least 2, or null, got ${maxLength}; pass e.g. 1024`,
  );
}
