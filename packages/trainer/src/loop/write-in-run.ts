import { isKtoError, WriteError, type Store } from "@kto/core";
import { listCheckpoints } from "./checkpoint-names.js";

/** What a full disk or a full share of it is called: by operating systems and by browsers. */
const isFull: ReadonlySet<string | undefined> = new Set(["ENOSPC", "EDQUOT", "QuotaExceededError"]);

const operation = "train";

/**
 * A failed write of a run as the run tells it: with the path, and how to go on. Any other error as it is.
 *
 * @param store  where the run writes; its newest checkpoint is what can be gone on from
 */
export async function writeErrorInRun(failure: unknown, store: Store): Promise<unknown> {
  if (!isKtoError(failure) || failure.code !== "WRITE" || failure.parts?.operation === operation) return failure;
  const { path, reason, parts } = failure as WriteError;
  const checkpoint = (await listCheckpoints(store).catch(() => [])).at(-1);
  const mend = isFull.has(reason) ? "free some space" : "see to it that it can be written";
  return new WriteError(
    {
      operation,
      problem: `${path} was not written`,
      expected: parts?.expected,
      got: parts?.got ?? reason,
      advice:
        checkpoint === undefined
          ? `${mend} and run it again; there is no checkpoint yet`
          : `${mend} and go on from ${checkpoint} with {resumeFrom} true`,
      fields: ["resumeFrom"],
    },
    { path, ...(reason !== undefined && { reason }), cause: failure },
  );
}
