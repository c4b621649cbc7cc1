import { DataNotes } from "@kto/datasets";
import { readJob, type RowTokenizer, type Tokenizing } from "./row-job.js";
import { fieldsKnownOf } from "./template-notes.js";
import { encodeRow } from "./token-table.js";
import type { Tokenizer } from "./tokenizer.js";

/** What workers need to know before they are given rows. */
export interface WorkerSetup extends Pick<Tokenizing, "name" | "settings"> {
  /** What the tokenizer is made of: `Tokenizer.parts()`. */
  tokenizer: object;
}

/** Rows for a worker. */
export interface RowBatch {
  /** Each as `writeJob` has it. */
  jobs: string[];
  /** What they are called in notes and errors. */
  places: number[];
  /** What is known so far of fields and the template. */
  fieldsKnown: [field: string, isUnread: boolean][];
}

/** What became of the rows of a batch. */
export interface BatchTokens {
  /** Of each row: bytes, tokens of the prompt, of the completion, and `scored` of `EncodedRow`. 0 bytes for one to be done again. */
  sizes: Uint32Array;
  /** The rows one after another. */
  bytes: Uint8Array;
  /** What is worth knowing: the number of the row in the batch, kind and text, and whether it is said of the row. */
  notes: [row: number, kind: string, text: string, isOfRow: boolean][];
}

/** Threads that tokenise. */
export interface TokenizeWorkers {
  readonly size: number;
  /** Rejects with CapabilityError when a thread ended that should not have. */
  tokenize(batch: RowBatch): Promise<BatchTokens>;
  dispose(): void;
}

/** Starts threads for a tokenizer. */
export type OpenWorkers = (setup: WorkerSetup) => Promise<TokenizeWorkers>;

/** Numbers of `sizes` for each row. */
export const SIZES_PER_ROW = 4;

/**
 * What a worker does with a batch. A row that cannot be tokenised, or of which a note depends on rows that others have, comes back without bytes: who put the
 * batch together does it again, in its turn, so that errors and notes are those of a single thread.
 */
export function tokenizeBatch({ jobs, places, fieldsKnown }: RowBatch, tokenize: RowTokenizer, tokenizer: Tokenizer): BatchTokens {
  const sizes = new Uint32Array(SIZES_PER_ROW * jobs.length);
  const parts: Uint8Array[] = [];
  const said: BatchTokens["notes"] = [];
  jobs.forEach((job, row) => {
    const notes = new DataNotes();
    const known = fieldsKnownOf(notes);
    for (const [field, isUnread] of fieldsKnown) known.set(field, isUnread);
    try {
      const ids = tokenize(readJob(job), places[row]!, { tokenizer, notes });
      if (known.size > fieldsKnown.length) return; // decided here, where it is not known what other rows said before
      const { bytes, promptLength, completionLength, scored } = encodeRow(ids);
      sizes.set([bytes.byteLength, promptLength, completionLength, scored], SIZES_PER_ROW * row);
      parts.push(bytes);
      for (const { kind, text, count } of notes.list()) said.push([row, kind, text, count !== undefined]);
    } catch {
      // whoever does it again says what is wrong
    }
  });
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return { sizes, bytes, notes: said };
}
