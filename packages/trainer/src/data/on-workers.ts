import type { DataNotes } from "@kto/datasets";
import type { PrepareOptions } from "./prepare-options.js";
import { writeJob, type Tokenizing } from "./row-job.js";
import type { ScoredRow } from "./rows.js";
import { fieldsKnownOf } from "./template-notes.js";
import type { EncodedRow } from "./token-table.js";
import type { CheckedSource } from "./tokenize-all.js";
import { SIZES_PER_ROW, type BatchTokens, type OpenWorkers, type TokenizeWorkers } from "./tokenize-workers.js";

/** Rows of a batch, and how long its texts may be before it is sent. */
const ROWS_AT_ONCE = 64;
const TEXT_AT_ONCE = 2 ** 18;
/** Batches that a worker has at a time: one that it works on and one that waits. */
const DEPTH = 2;

/** What is done with rows, in their order. */
interface Taking extends PrepareOptions {
  notes: DataNotes;
  /** Tokenises a row here. */
  again(index: number): ScoredRow;
  take(index: number, read: () => ScoredRow | EncodedRow): Promise<void>;
}

/** A batch under way: rows from `start` to `end`; `jobOf` gives the place of each among those that were sent. */
interface Pending {
  start: number;
  end: number;
  jobOf: ReadonlyMap<number, number>;
  tokens: Promise<BatchTokens>;
}

/** Tokenises rows on threads and takes them in order: what comes out is what a single thread makes of them. */
export async function tokenizeOnWorkers<Facts>(
  source: CheckedSource<Facts>,
  { name, settings }: Tokenizing,
  openWorkers: OpenWorkers,
  options: Taking,
): Promise<void> {
  const workers = await openWorkers({ name, settings, tokenizer: options.tokenizer!.parts!() });
  try {
    const pending: Pending[] = [];
    let next = 0;
    for (;;) {
      while (pending.length < DEPTH * workers.size && next < source.length) {
        const batch = send(source, next, workers, options.notes);
        batch.tokens.catch(() => {}); // is met when its turn comes
        pending.push(batch);
        next = batch.end;
      }
      const first = pending.shift();
      if (!first) return;
      await takeBatch(source, first, options);
    }
  } finally {
    workers.dispose();
  }
}

function send<Facts>(source: CheckedSource<Facts>, start: number, workers: TokenizeWorkers, notes: DataNotes): Pending {
  const jobs: string[] = [];
  const places: number[] = [];
  const jobOf = new Map<number, number>();
  let length = 0;
  let end = start;
  for (; end < source.length && end - start < ROWS_AT_ONCE && length < TEXT_AT_ONCE; end++) {
    const job = source.empty.has(end) ? undefined : jobText(source, end);
    if (job === undefined) continue; // is done here, in its turn
    jobOf.set(end, jobs.length);
    jobs.push(job);
    places.push(source.sourceIndex(end));
    length += job.length;
  }
  return { start, end, jobOf, tokens: workers.tokenize({ jobs, places, fieldsKnown: [...fieldsKnownOf(notes)] }) };
}

function jobText<Facts>(source: CheckedSource<Facts>, index: number): string | undefined {
  try {
    return writeJob(source.jobAt(index));
  } catch {
    return undefined;
  }
}

async function takeBatch<Facts>(
  source: CheckedSource<Facts>,
  { start, end, jobOf, tokens }: Pending,
  { notes, again, take }: Taking,
): Promise<void> {
  const { sizes, bytes, notes: said } = await tokens;
  let at = 0;
  let note = 0;
  for (let index = start; index < end; index++) {
    const job = jobOf.get(index);
    const [byteLength, promptLength, completionLength, scored] =
      job === undefined
        ? [0, 0, 0, 0]
        : (sizes.subarray(SIZES_PER_ROW * job, SIZES_PER_ROW * (job + 1)) as unknown as [number, number, number, number]);
    if (job === undefined || byteLength === 0) {
      await take(index, () => again(index));
      continue;
    }
    for (; note < said.length && said[note]![0] === job; note++) {
      const [, kind, text, isOfRow] = said[note]!;
      notes.add(kind, text, isOfRow ? source.sourceIndex(index) : undefined);
    }
    const row: EncodedRow = { bytes: bytes.subarray(at, at + byteLength), promptLength, completionLength, scored };
    at += byteLength;
    await take(index, () => row);
  }
}
