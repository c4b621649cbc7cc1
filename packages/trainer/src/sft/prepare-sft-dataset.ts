import { DataNotes, numpyPermutation, RowMistakes, type DataRow, type Dataset } from "@kto/datasets";
import { checkConfig } from "../config/check-config.js";
import { sftContradictions, type SFTConfig } from "../config/sft-config.js";
import { sftFields } from "../config/sft-fields.js";
import { DataPreparationError } from "../data/errors.js";
import { measureRows } from "../data/lengths.js";
import { noteUnusedTemplate } from "../data/preference-rows.js";
import { expectMaxLength, reportProgress, type PrepareOptions } from "../data/prepare-options.js";
import type { PreparedDataset } from "../data/prepared-dataset.js";
import { expectRows, expectRowsLeft } from "../data/read-rows.js";
import {
  cutRow,
  numScoredTokens,
  orEmpty,
  reasonToDrop,
  rowLength,
  type DroppedRow,
  type DropReason,
  type ScoredRow,
  type SourceRow,
} from "../data/rows.js";
import { expectAssistantMarks } from "./assistant-marks.js";
import { checkAllRows } from "./check-sft-rows.js";
import { withEosToken } from "./eos-token.js";
import { isScoredAnywhere } from "./documents.js";
import { packDocuments, type SftDocument } from "./pack-documents.js";
import { toSftRows, type SftRows } from "./sft-rows.js";
import { tokenizeSftRow } from "./tokenize-sft-row.js";

/** One row as the SFT trainer takes it: documents that do not attend to each other, cut to `maxLength` together. Unpacked, a row is one document. */
export interface SftRow extends SourceRow {
  documents: readonly ScoredRow[];
}

/** Fields of `SFTConfig` that say how data is prepared. */
const dataFields = [
  "completionOnlyLoss",
  "assistantOnlyLoss",
  "packing",
  "packingStrategy",
  "evalPacking",
  "datasetTextField",
  "eosToken",
  "shuffleDataset",
  "seed",
] as const satisfies readonly (keyof SFTConfig)[];

/** Options of {@link prepareSftDataset}; what is not given is as trl has it. */
export interface PrepareSftOptions extends PrepareOptions, Partial<Pick<SFTConfig, (typeof dataFields)[number]>> {}

/**
 * What {@link prepareSftDataset} gives. What is dropped are rows of the data of which nothing is scored; packed rows hold them along, as in trl. Lengths are those of the
 * documents: what is scored begins where the completion does.
 */
export interface PreparedSftDataset extends PreparedDataset<SftRow> {
  rows: SftRow[];
  /** How documents were packed; null where they were not. */
  packing: { strategy: SFTConfig["packingStrategy"]; numDocuments: number } | null;
  /** Of all rows together, as they are trained on. */
  tokens: { total: number; scored: number };
}

/**
 * Rows for the SFT trainer, with trl 1.16's rules and in its order: rows of other layouts are made trl's, EOS is appended to plain texts, rows are tokenised,
 * what is scored is told by masks, and what is too long is cut at its end, or packed. Rows without a scored token are dropped.
 *
 * Takes rows of `messages`, of `prompt` and `completion` (texts or conversations), of plain text (`datasetTextField`), of `input_ids`, and of every other layout
 * that is read; of pairs the chosen answers. Throws `RowError` for all rows that cannot be used, `DataFileError` for a dataset without rows,
 * `DataPreparationError` for options that do not go with the rows, a missing tokenizer, when every row was dropped, or any under `strict`.
 *
 * @see trl 1.16, SFTTrainer
 */
export async function prepareSftDataset(dataset: Dataset<DataRow>, options: PrepareSftOptions = {}): Promise<PreparedSftDataset> {
  const { maxLength = 1024, split = "train", notes = new DataNotes() } = options;
  expectMaxLength(maxLength);
  const args = dataArguments(options, maxLength);
  expectRows(dataset);
  const source = toSftRows(dataset, args.datasetTextField, notes);
  const tokenizing = { ...options, ...args, maxLength, notes, tokenizer: withEosToken(options.tokenizer, args.eosToken) };
  expectOptionsOf(source, tokenizing);
  const documents = await tokenizeAll(source, tokenizing);
  const isPacked = split === "eval" ? (args.evalPacking ?? args.packing) : args.packing;
  const isCut = !isPacked || args.packingStrategy === "bfd";
  const reasonOf = (document: ScoredRow): DropReason | undefined =>
    isCut ? reasonToDrop(document, maxLength) : isScoredAnywhere(document) ? undefined : { kind: "nothing scored" };
  const dropped = documents.flatMap((document): DroppedRow[] => {
    const reason = "reason" in document ? document.reason : reasonOf(document);
    return reason ? [{ index: document.sourceIndex, reason }] : [];
  });
  expectRowsLeft(dropped, source.length, options);
  const whole = documents.filter((document): document is SftDocument => !("reason" in document));
  const without = new Set(dropped.map(({ index }) => index));
  const shuffled = <Row>(rows: Row[]): Row[] =>
    args.shuffleDataset ? Array.from(numpyPermutation(rows.length, args.seed), (index) => rows[index]!) : rows;
  const rows = isPacked
    ? shuffled(packedRows(shuffled(whole), maxLength!, args.packingStrategy))
    : shuffled(whole.filter(({ sourceIndex }) => !without.has(sourceIndex)).map((document) => oneDocument(document, maxLength)));
  const trained = rows.flatMap((row) => row.documents);
  return {
    rows,
    dropped,
    format: source.format,
    unreadColumns: source.unreadColumns,
    packing: isPacked ? { strategy: args.packingStrategy, numDocuments: whole.length } : null,
    tokens: { total: sumOf(trained, rowLength), scored: sumOf(trained, numScoredTokens) },
    ...measureRows(whole, isCut ? maxLength : null),
    notes: notes.list(),
  };
}

/** The fields that say how data is prepared, checked. Throws DataPreparationError. */
function dataArguments(options: PrepareSftOptions, maxLength: number | null): SFTConfig {
  const given = Object.fromEntries(dataFields.map((field) => [field, options[field]])) as Partial<SFTConfig>;
  return checkConfig(
    "prepareSftDataset",
    sftFields,
    { maxLength, ...given },
    { contradictions: sftContradictions, toError: (text) => new DataPreparationError(text) },
  );
}

/** Throws DataPreparationError for options that the rows cannot answer to. */
function expectOptionsOf({ format, hasCompletionMask }: SftRows, options: PrepareSftOptions & { notes: DataNotes }): void {
  const { completionOnlyLoss, assistantOnlyLoss, chatTemplate, notes } = options;
  const refuse = (field: string, problem: string, expected: string): never => {
    throw new DataPreparationError({
      operation: "data",
      problem: `{${field}} ${problem}`,
      expected,
      got: `rows of the layout ${format.layout}`,
      advice: `leave {${field}} out`,
      fields: [field],
    });
  };
  const hasCompletions = !["messages", "text", "input-ids"].includes(format.type) || hasCompletionMask;
  if (completionOnlyLoss && !hasCompletions)
    refuse("completionOnlyLoss", "needs to know where the completion begins", "rows of prompt and completion, or a completion_mask");
  if (assistantOnlyLoss && !format.conversational) refuse("assistantOnlyLoss", "needs turns of an assistant", "conversations");
  if (assistantOnlyLoss) expectAssistantMarks(options);
  noteUnusedTemplate(chatTemplate, format, notes);
}

/** A row of the data that is no document. */
interface EmptyRow extends SourceRow {
  reason: DropReason;
}

/** Every row as ids, or why it is dropped. What is wrong with rows is told at once: first of all before anything is tokenised. */
async function tokenizeAll(
  source: SftRows,
  options: PrepareSftOptions & SFTConfig & { notes: DataNotes },
): Promise<(SftDocument | EmptyRow)[]> {
  await checkAllRows(source, options.signal);
  const documents: (SftDocument | EmptyRow)[] = [];
  const mistakes = new RowMistakes();
  for (let index = 0; index < source.length; index++) {
    const read = mistakes.try(() => orEmpty(() => tokenizeSftRow(source.at(index), index, options)));
    if (read !== undefined) documents.push("kind" in read ? { reason: read, sourceIndex: index } : { ...read, sourceIndex: index });
    await reportProgress(index + 1, source.length, options);
  }
  mistakes.throwIfAny(source.length);
  return documents;
}

function oneDocument({ sourceIndex, ...document }: SftDocument, maxLength: number | null): SftRow {
  return { documents: [cutRow(document, maxLength)], sourceIndex };
}

/** Packed rows, but those in which nothing is scored. */
function packedRows(documents: readonly SftDocument[], length: number, strategy: SFTConfig["packingStrategy"]): SftRow[] {
  return packDocuments(documents, length, strategy)
    .filter((row) => row.documents.some((document) => numScoredTokens(document) > 0))
    .map((row) => ({ documents: row.documents, sourceIndex: row.packedFrom[0]!, packedFrom: row.packedFrom }));
}

function sumOf(rows: readonly ScoredRow[], of: (row: ScoredRow) => number): number {
  return rows.reduce((total, row) => total + of(row), 0);
}
