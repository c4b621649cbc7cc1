import type { DataRow, Dataset } from "@kto/datasets";
import type { CausalLM, GradientSink, Tensor } from "@kto/tensor";
import type { RowLengths } from "../data/lengths.js";
import type { RowSequence } from "../data/row-sequence.js";
import type { PrepareOptions } from "../data/prepare-options.js";
import type { DroppedRow, SourceRow } from "../data/rows.js";
import type { AnswerScore } from "../evaluation/answer-score.js";
import type { PassLayout, PassSize, PassUnit } from "../memory/passes.js";
import type { KeepOptions } from "../scoring/kept-numbers.js";
import type { Reference, ReferenceKind } from "../scoring/reference.js";
import type { PolicyModel } from "./policy.js";

/** Tensors by name, f32. */
export type NamedTensors = Readonly<Record<string, Tensor>>;

/** What `NamedTensors` held, on the host. */
export type NamedValues = Readonly<Record<string, ArrayLike<number>>>;

/** Rows that a method can train on. */
export interface PreparedRows<Row> {
  /** An array, or rows that are read when they are asked for. */
  rows: RowSequence<Row>;
  dropped: readonly DroppedRow[];
  lengths: RowLengths;
}

/** What a micro-batch is recorded with. */
export interface MethodContext {
  model: PolicyModel;
  reference: Reference;
  layout: PassLayout;
}

/** Options of `Method.precompute`. */
export interface PrecomputeOptions extends KeepOptions {
  /** Told how many rows are done. */
  onProgress?(done: number): void;
}

/** What a method records before the loss of a micro-batch. */
export interface BeforeLoss {
  /** What enters the loss as a constant, over the rows of all ranks: vectors of one number a row. */
  readonly statistics: NamedTensors;
  /** Results of forward passes that the loss goes on from; they may be on the tape. */
  readonly forward: NamedTensors;
}

/** Of a method whose loss needs nothing before. */
export const nothingBefore: BeforeLoss = { statistics: {}, forward: {} };

/** What a backward pass is given. */
export interface BackwardPass {
  /** Gradients come out multiplied by it. */
  scale: number;
  sink: GradientSink;
  /** Called after each forward pass whose activations are kept. */
  onForward?: (() => void) | undefined;
}

/** What the backward pass of several micro-batches is given. */
export interface BackwardPassTogether extends Omit<BackwardPass, "scale"> {
  /** What the gradients of each micro-batch are multiplied by. */
  scales: readonly number[];
}

/** What recording a micro-batch gives. */
export type RecordedTensors = NamedTensors & { readonly loss: Tensor };

/**
 * A training method: what sets KTO, DPO and supervised fine-tuning apart. The loop does the rest: order of rows, accumulation, schedule, logging,
 * evaluation, memory, checkpoints.
 */
export interface Method<Row extends SourceRow, Prepared extends PreparedRows<Row> = PreparedRows<Row>> {
  /** Its name in the card of what was trained. */
  readonly name: string;
  /** What the policy is compared with; without one, the model without its adapter, and where every weight is trained nothing. */
  readonly reference?: ReferenceKind | undefined;
  /** Seed of torch's `randperm`, which rows are put in order by, anew in each epoch; without one they stay in the order of the data. */
  readonly shuffleSeed?: number | undefined;
  /** Tokenises a dataset into rows that are cut to `maxLength`. */
  prepare(dataset: Dataset<DataRow>, options: PrepareOptions): Promise<Prepared>;
  /**
   * The sequences of each forward pass of a micro-batch, always as many passes. The first pass is the one that is trained on: its tokens are counted.
   */
  passes(rows: readonly Row[]): readonly [trained: readonly PassUnit[], ...others: (readonly PassUnit[])[]];
  /**
   * What goes along, without gradients, with each unit of the pass that is trained on; undefined where each kind of pass is one of its own. Memory is planned by it:
   * `statistics` has the first pass of a micro-batch take it along, unless the layout says `isSeparate`.
   */
  alongside?(model: CausalLM, rows: readonly Row[]): readonly PassSize[] | undefined;
  /** Rows with what is computed once, before the first update. */
  precompute?(context: MethodContext, rows: RowSequence<Row>, options: PrecomputeOptions): Promise<RowSequence<Row>>;
  /**
   * What a micro-batch counts in the loss of its update: its scored tokens, say, where the loss is a mean over tokens. The loss of the update is then the mean of
   * those of its micro-batches, on all ranks, by this; without it all count alike.
   */
  weightOf?(rows: readonly Row[]): number;
  /** Micro-batches are counted without padding for `total_flos`, as trl's padding-free ones. */
  readonly isPaddingFree?: boolean | undefined;
  /**
   * What comes before the loss of a micro-batch: statistics of it over the rows of all ranks. As little as can be is recorded while activations are kept.
   *
   * @param backwardPass  as of `record`, which is called next
   */
  statistics?(context: MethodContext, rows: readonly Row[], backwardPass: BackwardPass | undefined): BeforeLoss;
  /**
   * Records the passes and the loss of a micro-batch and, if asked to, its gradients.
   *
   * @param before        what `statistics` gave, the numbers of all ranks in the place of this one's
   * @param backwardPass  undefined for a loss without gradients (evaluation)
   * @returns             `loss`, [] f32, the mean over the rows (or over what `weightOf` counts), and whatever `metrics` needs; in the current scope
   */
  record(context: MethodContext, rows: readonly Row[], before: BeforeLoss, backwardPass: BackwardPass | undefined): RecordedTensors;
  /**
   * As `statistics` and `record` for each of several micro-batches of an update, with one forward and one backward pass for all of them: each has statistics and a
   * loss of its own. Only called for micro-batches that have `alongside`, in a method that has it. Without this they go through one after the other.
   */
  recordTogether?(
    context: MethodContext,
    microBatches: readonly (readonly Row[])[],
    backwardPass: BackwardPassTogether,
  ): readonly RecordedTensors[];
  /** What is logged of a micro-batch besides the loss, under trl's names; a name is left out where the rows do not tell it. */
  metrics(values: NamedValues, rows: readonly Row[]): Record<string, number>;
  /** What is known of each answer of a micro-batch, of methods that score whole answers. */
  scores?(values: NamedValues, rows: readonly Row[]): AnswerScore[];
}
