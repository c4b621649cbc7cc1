import { listed, RowError } from "@kto/datasets";

/** A prompt and its completion as ids: what a model scores. In a run both are cut already, so that no other place needs to know how long a row may be. */
export interface ScoredRow {
  promptIds: readonly number[];
  completionIds: readonly number[];
  /** 1 for each token of the completion that is scored, 0 for the others; all are where it is absent. */
  scoredMask?: readonly number[];
  /** Rows of a pass that name the same object have the same prompt, and go on from one computation of it. */
  sharedPrompt?: object | undefined;
}

/** What the loop needs to know of a row of any method: where it stands in the data, to name it in an error. */
export interface SourceRow {
  /** Index of the row in the dataset given; for pairs, of the pair. */
  sourceIndex: number;
  /** Of a row that several rows of the dataset are packed into: their indices. */
  packedFrom?: readonly number[];
}

/** A row that is not trained on. */
export interface DroppedRow {
  /** Index of the row in the dataset given; for pairs, of the pair. */
  index: number;
  /** For pairs: the side, true for the chosen one. */
  label?: boolean;
  reason: DropReason;
}

/** Why a row is dropped: where trl would have nothing to train on, or fail. */
export type DropReason =
  | { kind: "prompt fills maxLength"; /** Tokens of the prompt. */ length: number; limit: number }
  | { kind: Exclude<DropKind, "prompt fills maxLength"> };

/** Kinds of reasons to drop a row. */
export type DropKind = "prompt fills maxLength" | keyof typeof emptyKinds;

const emptyKinds = {
  "no messages": "the conversation has no message",
  "no prompt": "the prompt is a conversation without a message",
  "no completion": "there is no answer: the completion has no message, or the conversation does not end with the assistant",
  "nothing shared": "chosen and rejected begin with nothing that both share, so that there is no prompt",
  "no content": "a message has no content, and the chat template needs it",
  "nothing scored": "the completion has no token that can be scored",
} as const;

/** Every kind of reason, for docs. */
export const dropKinds = [
  "prompt fills maxLength",
  ...(Object.keys(emptyKinds) as (keyof typeof emptyKinds)[]),
] as const satisfies readonly DropKind[];

/** A row that is empty where training needs something: it is dropped and counted, and no mistake. */
export class EmptyRowError extends RowError {
  override name = "EmptyRowError";
  readonly reason: DropReason;

  constructor(row: number, kind: keyof typeof emptyKinds, cause?: unknown) {
    super(
      {
        operation: `row ${row}`,
        problem: emptyKinds[kind],
        expected: "something to train on",
        got: "nothing",
        advice: `complete or remove row ${row} (counted from 0)`,
      },
      { row, cause },
    );
    this.reason = { kind };
  }
}

/** What `read` gives, or why the row is dropped. */
export function orEmpty<Read>(read: () => Read): Read | DropReason {
  try {
    return read();
  } catch (error) {
    if (error instanceof EmptyRowError) return error.reason;
    throw error;
  }
}

/** True where two lists hold the same ids. */
export function sameIds(a: readonly number[], b: readonly number[]): boolean {
  return a.length === b.length && a.every((id, position) => id === b[position]);
}

/** Tokens of a row. */
export function rowLength({ promptIds, completionIds }: ScoredRow): number {
  return promptIds.length + completionIds.length;
}

/** Tokens of a row that are scored: its completion, but not a token that nothing stands before. */
export function numScoredTokens(row: ScoredRow): number {
  const { promptIds, scoredMask } = row;
  if (scoredMask === undefined) return Math.max(0, rowLength(row) - Math.max(1, promptIds.length));
  return scoredMask.reduce((total, bit, index) => total + (promptIds.length + index > 0 ? bit : 0), 0);
}

/** For each token of a row, whether it is scored. */
export function scoredTokens({ promptIds, completionIds, scoredMask }: ScoredRow): boolean[] {
  const ofCompletion = completionIds.map((_id, index) => promptIds.length + index > 0 && scoredMask?.[index] !== 0);
  return [...promptIds.map(() => false), ...ofCompletion];
}

/** The first `maxLength` ids of a row; null keeps all. */
export function cutRow<Row extends ScoredRow>(row: Row, maxLength: number | null): Row {
  if (maxLength === null || rowLength(row) <= maxLength) return row;
  const promptIds = row.promptIds.slice(0, maxLength);
  const room = maxLength - promptIds.length;
  const { completionIds, scoredMask } = row;
  return { ...row, promptIds, completionIds: completionIds.slice(0, room), ...(scoredMask && { scoredMask: scoredMask.slice(0, room) }) };
}

/** Why a row is not trained on, before it is cut, or undefined if it is. */
export function reasonToDrop(row: ScoredRow, maxLength: number | null): DropReason | undefined {
  const { length } = row.promptIds;
  if (maxLength !== null && length >= maxLength) return { kind: "prompt fills maxLength", length, limit: maxLength };
  return numScoredTokens(row) === 0 ? { kind: "nothing scored" } : undefined;
}

/** A kind of reason as a sentence, with the config field as `spell` writes it. */
export function describeDropKind(kind: DropKind, spell: (field: string) => string = (field) => field): string {
  return kind === "prompt fills maxLength" ? `the prompt fills ${spell("maxLength")}` : emptyKinds[kind];
}

/** A reason as a sentence: `the prompt fills maxLength: 1030 of 1024 tokens`. */
export function describeDrop(reason: DropReason, spell?: (field: string) => string): string {
  const text = describeDropKind(reason.kind, spell);
  return reason.kind === "prompt fills maxLength" ? `${text}: ${reason.length} of ${reason.limit} tokens` : text;
}

/** Dropped rows as sentences, one a kind: `the prompt fills maxLength (rows 3, 5 and 12 more)`. */
export function describeDrops(dropped: readonly DroppedRow[], spell?: (field: string) => string, most?: number): string[] {
  const kinds = new Map<DropKind, Set<number>>();
  for (const { index, reason } of dropped) kinds.set(reason.kind, (kinds.get(reason.kind) ?? new Set()).add(index));
  return Array.from(
    kinds,
    ([kind, rows]) => `${describeDropKind(kind, spell)} (${rows.size === 1 ? "row" : "rows"} ${listed(rows, most)})`,
  );
}
