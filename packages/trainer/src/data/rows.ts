/** A prompt and its completion as ids: what a model scores. In a run both are cut already, so that no other place needs to know how long a row may be. */
export interface ScoredRow {
  promptIds: readonly number[];
  completionIds: readonly number[];
}

/** What the loop needs to know of a row of any method: where it stands in the data, to name it in an error. */
export interface SourceRow {
  /** Index of the row in the dataset given; for pairs, of the pair. */
  sourceIndex: number;
}

/** A row that is not trained on. */
export interface DroppedRow {
  /** Index of the row in the dataset given; for pairs, of the pair. */
  index: number;
  reason: DropReason;
}

/** Why a row is dropped: its prompt alone is `length` of `limit` tokens. */
export interface DropReason {
  kind: "prompt fills maxLength";
  length: number;
  limit: number;
}

/** Tokens of a row. */
export function rowLength({ promptIds, completionIds }: ScoredRow): number {
  return promptIds.length + completionIds.length;
}

/** Tokens of a row that are scored: its completion, but not a token that nothing stands before. */
export function numScoredTokens(row: ScoredRow): number {
  return Math.max(0, rowLength(row) - Math.max(1, row.promptIds.length));
}

/** The first `maxLength` ids of a row; null keeps all. */
export function cutRow<Row extends ScoredRow>(row: Row, maxLength: number | null): Row {
  if (maxLength === null || rowLength(row) <= maxLength) return row;
  const promptIds = row.promptIds.slice(0, maxLength);
  return { ...row, promptIds, completionIds: row.completionIds.slice(0, maxLength - promptIds.length) };
}

/** Why trl would not train on a row, before it is cut, or undefined if it would. */
export function reasonToDrop({ promptIds }: ScoredRow, maxLength: number | null): DropReason | undefined {
  if (maxLength === null || promptIds.length < maxLength) return undefined;
  return { kind: "prompt fills maxLength", length: promptIds.length, limit: maxLength };
}

/** A kind of reason as a sentence, with the config field as `spell` writes it. */
export function describeDropKind(_kind: DropReason["kind"], spell: (field: string) => string = (field) => field): string {
  return `the prompt fills ${spell("maxLength")}`;
}

/** A reason as a sentence: `the prompt fills maxLength: 1030 of 1024 tokens`. */
export function describeDrop({ kind, length, limit }: DropReason, spell?: (field: string) => string): string {
  return `${describeDropKind(kind, spell)}: ${length} of ${limit} tokens`;
}
