import type { Device } from "@kto/tensor";
import { rowLength, type SourceRow } from "../data/rows.js";
import { sequencesOf } from "../memory/passes.js";
import type { Collective } from "./collective.js";
import { gatherNamed, joined } from "./gather-named.js";
import {
  nothingBefore,
  type BackwardPass,
  type Method,
  type MethodContext,
  type NamedTensors,
  type NamedValues,
  type RecordedTensors,
} from "./method.js";

/** What recording a micro-batch needs besides its rows. */
export interface MicroBatchContext<Row extends SourceRow> {
  method: Method<Row>;
  context: MethodContext;
  collective: Collective;
}

/** A micro-batch that was recorded: its results wait on the device until the log asks for them. */
export interface RecordedMicroBatch<Row> {
  /** The rows of every rank, by rank: this one's alone where there are no others. */
  rowsByRank: readonly (readonly Row[])[];
  tensors: RecordedTensors;
}

/** A micro-batch as it is logged, over the rows of all ranks. */
export interface MicroBatchMetrics {
  loss: number;
  numRows: number;
  /** What it counts in the loss of its update. */
  weight: number;
  /** Under trl's names. */
  metrics: Record<string, number>;
  /** What the metrics are made of. */
  values: NamedValues;
}

/** Tokens of a micro-batch, of all ranks together. */
export interface TokenCounts {
  /** Those that are trained on. */
  numTokens: number;
  /** With padding to the longest, as trl counts floating-point operations. */
  numPaddedTokens: number;
}

/** Records the statistics and the loss of one rank's rows, and their gradients if `backwardPass` is given. Results belong to the caller. */
export function recordMicroBatch<Row extends SourceRow>(
  { method, context }: Pick<MicroBatchContext<Row>, "method" | "context">,
  rows: readonly Row[],
  backwardPass: BackwardPass | undefined,
): RecordedTensors {
  return context.model.device.scope("micro-batch", () =>
    method.record(context, rows, method.statistics?.(context, rows, backwardPass) ?? nothingBefore, backwardPass),
  );
}

/** How a micro-batch is recorded together with those of other ranks. */
export interface TogetherOptions {
  /** Wraps what is recorded. */
  dropout?<T>(body: () => T): T;
  /** So many ranks, from the first, count in the statistics; default all. */
  numRanks?: number;
}

/** As `recordMicroBatch`, with the statistics taken over the rows of several ranks, which all call it. */
export async function recordMicroBatchTogether<Row extends SourceRow>(
  { method, context, collective }: MicroBatchContext<Row>,
  rows: readonly Row[],
  backwardPass: BackwardPass | undefined,
  { dropout = (body) => body(), numRanks = collective.size }: TogetherOptions = {},
): Promise<RecordedTensors> {
  if (collective.size === 1 || !method.statistics) return dropout(() => recordMicroBatch({ method, context }, rows, backwardPass));
  const { device } = context.model;
  const { statistics: own, forward } = device.scope("statistics", () => dropout(() => method.statistics!(context, rows, backwardPass)));
  let gathered: NamedValues | undefined;
  try {
    const ofRanks = await gatherNamed(collective, await readResults(device, [own]));
    gathered = joined(ofRanks.slice(0, numRanks).flat());
  } finally {
    if (!gathered) device.scope(() => adoptAll(device, forward)); // to be freed, with what the tape kept
  }
  return device.scope("micro-batch", () => {
    adoptAll(device, forward);
    const statistics = Object.fromEntries(
      Object.entries(gathered).map(([name, values]) => [name, device.tensor(Array.from(values), [values.length], "f32", name)]),
    );
    return dropout(() => method.record(context, rows, { statistics, forward }, backwardPass));
  });
}

function adoptAll(device: Device, tensors: NamedTensors): void {
  for (const tensor of Object.values(tensors)) device.adopt(tensor);
}

/** Reads the results of some micro-batches with one wait, frees them, and puts those of all ranks together. */
export async function readMicroBatches<Row extends SourceRow>(
  { method, context: { model }, collective }: MicroBatchContext<Row>,
  microBatches: readonly RecordedMicroBatch<Row>[],
): Promise<MicroBatchMetrics[]> {
  const own = await readResults(
    model.device,
    microBatches.map(({ tensors }) => tensors),
  );
  const ofRanks = await gatherNamed(collective, own);
  return microBatches.map(({ rowsByRank }, index) =>
    metricsOf(
      method,
      rowsByRank,
      ofRanks.map((of) => of[index]!),
    ),
  );
}

/** Reads results with one wait, and frees them. */
export async function readResults(device: Device, results: readonly NamedTensors[]): Promise<Record<string, Float32Array>[]> {
  const all = results.flatMap((tensors) => Object.values(tensors));
  const values = (await device.readAll(all)).values();
  for (const tensor of all) tensor.dispose();
  return results.map((tensors) => Object.fromEntries(Object.keys(tensors).map((name) => [name, values.next().value!])));
}

/** A micro-batch as it is logged, by the rows of each rank and what was read of them. */
export function metricsOf<Row extends SourceRow>(
  method: Method<Row>,
  rowsByRank: readonly (readonly Row[])[],
  results: readonly NamedValues[],
): MicroBatchMetrics {
  const rows = rowsByRank.flat();
  const values = results.length === 1 ? results[0]! : joined(results);
  const weights = rowsByRank.map((ofRank) => method.weightOf?.(ofRank) ?? 1);
  return {
    loss: weightedMean(Array.from(values["loss"]!), weights),
    numRows: rows.length,
    weight: weights.reduce((total, weight) => total + weight, 0),
    metrics: method.metrics(values, rows),
    values,
  };
}

/** The mean of some losses by what each counts, 0 where none does; with equal weights the plain mean. */
export function weightedMean(losses: readonly number[], weights: readonly number[]): number {
  const sum = (values: readonly number[]): number => values.reduce((total, value) => total + value, 0);
  if (weights.every((weight) => weight === weights[0] && weight > 0)) return sum(losses) / losses.length;
  return sum(losses.map((loss, index) => loss * weights[index]!)) / Math.max(sum(weights), 1);
}

/** Counts the tokens of the pass that is trained on. */
export function countTokens<Row extends SourceRow>(method: Method<Row>, rowsByRank: readonly (readonly Row[])[]): TokenCounts {
  const counts = { numTokens: 0, numPaddedTokens: 0 };
  for (const rows of rowsByRank) {
    const lengths = sequencesOf(method.passes(rows)[0]).map(rowLength);
    const numTokens = lengths.reduce((total, length) => total + length, 0);
    counts.numTokens += numTokens;
    counts.numPaddedTokens += method.isPaddingFree ? numTokens : lengths.length * Math.max(...lengths);
  }
  return counts;
}

/** Frees results that nobody will read. */
export function disposeAll(microBatches: readonly RecordedMicroBatch<unknown>[]): void {
  for (const { tensors } of microBatches) for (const tensor of Object.values(tensors)) tensor.dispose();
}
