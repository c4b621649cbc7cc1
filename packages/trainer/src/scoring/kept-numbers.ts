import type { RowSequence } from "../data/row-sequence.js";
import type { ScoredRow } from "../data/rows.js";
import type { KeyPart, TokenCache } from "../data/token-cache.js";
import { alone, type Collective } from "../loop/collective.js";
import type { MethodContext } from "../loop/method.js";
import { canSum, digest } from "../loop/file-sums.js";

/** Raised when the same model, rows and settings come to other numbers than before, or these are written otherwise. */
const NUMBERS_VERSION = 2;

/** Rows whose ids are summed at a time. */
const rowsAtATime = 1024;

/** Where the numbers that a reference gives of rows are kept. */
export interface KeptNumbers {
  place: string;
  byteLength: number;
  /** False where they were computed by this call. */
  isHit: boolean;
  /** Why they could not be kept; the run goes on with them. */
  problem?: string;
}

/** Where numbers of a reference may be kept. */
export interface KeepOptions {
  signal?: AbortSignal | undefined;
  /** Without it they are computed anew. */
  cache?: TokenCache | undefined;
  /** Told where they are, if anywhere. */
  onKept?: ((kept: KeptNumbers) => void) | undefined;
  /** Ranks that share the work: the first of them has the cache. */
  collective?: Collective | undefined;
}

/** What decides the numbers, to the bit. */
export interface NumbersInput<Row> extends KeepOptions {
  rows: RowSequence<Row>;
  /** The sequences of a row, whatever else it is. */
  sequencesOf(row: Row): readonly ScoredRow[];
  /** How many numbers there are. */
  count: number;
  /** What decides them besides the rows and what the context says: the sizes of batches, and what is summed how. */
  settings: Readonly<Record<string, unknown>>;
}

/**
 * Numbers of the reference, from the cache or computed and put there. They are found again for the same rows, reference, device, and layout of passes, and are
 * then, to the bit, what would be computed. Nothing is kept without a cache, or of a model that has no fingerprint.
 *
 * @param compute  makes them; of several ranks each its share, and zeros for those of others
 */
export async function keptNumbers<Row>(
  context: MethodContext,
  { rows, sequencesOf, count, settings, cache, signal, onKept, collective = alone }: NumbersInput<Row>,
  compute: () => Promise<Float32Array>,
): Promise<Float32Array> {
  const key = cache && collective.rank === 0 ? await keyOf(context, { rows, sequencesOf, settings, signal }) : undefined;
  const found = key && (await cache!.open(key, signal));
  const stored = found?.index.byteLength === 4 * count ? found : undefined;
  const isHit = collective.size === 1 ? stored !== undefined : (await collective.gather([Number(stored !== undefined)]))[0]![0] === 1;
  const computed = isHit ? undefined : await compute();
  const numbers = computed ?? (stored ? new Float32Array(stored.index.slice().buffer) : new Float32Array(count));
  if (collective.size > 1) await collective.sum(numbers);
  if (stored) onKept?.({ place: stored.place, byteLength: stored.byteLength, isHit });
  if (isHit || !key) return numbers;
  const writer = await cache!.create(key);
  if (!writer) return numbers;
  try {
    const written = await writer.finish(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength), JSON.stringify({ count }));
    onKept?.({ place: written.place, byteLength: written.byteLength, isHit: false });
  } catch (error) {
    writer.discard();
    onKept?.({ place: "", byteLength: 0, isHit: false, problem: error instanceof Error ? error.message : String(error) });
  }
  return numbers;
}

async function keyOf<Row>(
  { model, reference, layout }: MethodContext,
  { rows, sequencesOf, settings, signal }: Pick<NumbersInput<Row>, "rows" | "sequencesOf" | "settings" | "signal">,
): Promise<KeyPart[] | undefined> {
  const fingerprint = canSum() ? await reference.fingerprint() : undefined;
  if (!fingerprint) return undefined;
  const { capabilities, recorder } = model.device;
  const { tokensPerPass, isSeparate = false, largestPass, largestJoint } = layout;
  const forced = [...recorder.variants];
  return [
    `numbers of a reference ${NUMBERS_VERSION}`,
    JSON.stringify({
      settings,
      layout: [String(tokensPerPass), isSeparate, largestPass, largestJoint],
      capabilities,
      forced,
      length: rows.length,
    }),
    ...fingerprint,
    ...(await sumsOf(rows, sequencesOf, signal)),
  ];
}

/** SHA-256 of the ids of all rows, some at a time. */
async function sumsOf<Row>(
  rows: RowSequence<Row>,
  sequencesOf: (row: Row) => readonly ScoredRow[],
  signal: AbortSignal | undefined,
): Promise<string[]> {
  const sums: string[] = [];
  for (let start = 0; start < rows.length; start += rowsAtATime) {
    signal?.throwIfAborted();
    const numbers = rows
      .slice(start, Math.min(start + rowsAtATime, rows.length))
      .flatMap((row) =>
        sequencesOf(row).flatMap(({ promptIds, completionIds, scoredMask }) => [
          promptIds.length,
          completionIds.length,
          scoredMask ? 1 : 0,
          ...promptIds,
          ...completionIds,
          ...(scoredMask ?? []),
        ]),
      );
    sums.push(await digest(new Uint8Array(Uint32Array.from(numbers).buffer)));
  }
  return sums;
}
