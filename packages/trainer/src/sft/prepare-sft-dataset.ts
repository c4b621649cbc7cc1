import { DataNotes, numpyPermutation, type DataRow, type Dataset } from "@kto/datasets";
import { checkConfig } from "../config/check-config.js";
import { sftContradictions, type SFTConfig } from "../config/sft-config.js";
import { sftFields } from "../config/sft-fields.js";
import { droppedRows } from "../data/dropped-rows.js";
import { DataPreparationError } from "../data/errors.js";
import type { LayoutPart } from "../data/layout-parts.js";
import { measureRows } from "../data/lengths.js";
import { expectRows, expectRowsLeft } from "../data/look-at-rows.js";
import { noteUnusedTemplate } from "../data/preference-rows.js";
import { expectMaxLength, type PrepareOptions } from "../data/prepare-options.js";
import type { PreparedDataset } from "../data/prepared-dataset.js";
import { lazyRows, selectedRows, type RowSequence } from "../data/row-sequence.js";
import { reasonToDrop, type DropReason, type ScoredRow } from "../data/rows.js";
import type { TokenTable } from "../data/token-table.js";
import { tokenizeAll, type AllTokens, type CheckedSource } from "../data/tokenize-all.js";
import { countAllTokens, packedRows, singleRows, type SftRow, type TokenCounts } from "./arrange-rows.js";
import { expectAssistantMarks } from "./assistant-marks.js";
import { checkAllRows } from "./check-sft-rows.js";
import { isScoredAnywhere } from "./documents.js";
import { withEosToken } from "./eos-token.js";
import type { SftDocument } from "./pack-documents.js";
import { toSftRows, type SftRows } from "./sft-rows.js";
import { sftTokenizing, type TokenizeSftSettings } from "./tokenize-sft-row.js";

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
  /** How documents were packed; null where they were not. */
  packing: { strategy: SFTConfig["packingStrategy"]; numDocuments: number } | null;
  /** Of all rows together, as they are trained on. */
  tokens: TokenCounts;
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
  const { packingStrategy: strategy } = args;
  const all = await tokenizeDocuments(dataset, args, {
    ...options,
    notes,
    tokenizer: withEosToken(options.tokenizer, args.eosToken),
  });
  const isPacked = split === "eval" ? (args.evalPacking ?? args.packing) : args.packing;
  const isCut = !isPacked || strategy === "bfd";
  const { dropped, kept } = droppedRows(all, (document): DropReason | undefined =>
    isCut ? reasonToDrop(document, maxLength) : isScoredAnywhere(document) ? undefined : { kind: "nothing scored" },
  );
  expectRowsLeft(dropped, all.length, options);
  const documents = documentsOf(all.table);
  const shuffled = <Row>(rows: RowSequence<Row>): RowSequence<Row> =>
    args.shuffleDataset ? selectedRows(rows, numpyPermutation(rows.length, args.seed)) : rows;
  const rows = isPacked
    ? shuffled(packedRows(shuffled(documents), maxLength!, strategy))
    : shuffled(singleRows(selectedRows(documents, kept), maxLength));
  return {
    rows,
    dropped,
    ...all.facts,
    packing: isPacked ? { strategy, numDocuments: documents.length } : null,
    tokens: countAllTokens(rows),
    ...measureRows(documents, isCut ? maxLength : null),
    notes: notes.list(),
    cache: all.cache,
  };
}

/** What is known of data as a whole. */
type SftFacts = Pick<PreparedSftDataset, "format" | "unreadColumns">;

/** Every row as ids. What is wrong with rows is told at once: first of all before anything is tokenised. */
function tokenizeDocuments(
  dataset: Dataset<DataRow>,
  { datasetTextField, completionOnlyLoss, assistantOnlyLoss }: SFTConfig,
  options: PrepareOptions & { notes: DataNotes },
): Promise<AllTokens<SftFacts>> {
  expectRows(dataset);
  const settings = { completionOnlyLoss, assistantOnlyLoss, chatTemplate: options.chatTemplate };
  const open = async (): Promise<CheckedSource<SftFacts>> => {
    const source = toSftRows(dataset, datasetTextField, options.notes);
    expectOptionsOf(source, { ...options, ...settings });
    const { length, format, unreadColumns } = source;
    return {
      length,
      numSourceRows: length,
      facts: { format, unreadColumns },
      sourceIndex: (index) => index,
      empty: await checkAllRows(source, options),
      jobAt: source.at,
      labelAt: () => false,
    };
  };
  return tokenizeAll(
    { fingerprint: dataset.fingerprint, key: [`text in ${datasetTextField}`], tokenizing: sftTokenizing(settings), open },
    options,
  );
}

/** The rows of a table, each read when it is asked for. */
function documentsOf(table: TokenTable): RowSequence<SftDocument> {
  const documentOf = (row: ScoredRow, index: number): SftDocument => ({ ...row, sourceIndex: table.places[index]! });
  return lazyRows(
    table.length,
    (index) => documentOf(table.rowAt(index), index),
    (index) => documentOf(table.sketchAt(index), index),
  );
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

/** Throws DataPreparationError for options that the rows, or those of a part, cannot answer to. */
function expectOptionsOf({ parts, format }: SftRows, options: PrepareOptions & TokenizeSftSettings & { notes: DataNotes }): void {
  const { completionOnlyLoss, assistantOnlyLoss, chatTemplate, notes } = options;
  for (const part of parts) {
    if (completionOnlyLoss && !hasCompletions(part))
      throw unanswered(
        part,
        "completionOnlyLoss",
        "needs to know where the completion begins",
        "rows of prompt and completion, or a completion_mask",
      );
    if (assistantOnlyLoss && !part.format.conversational)
      throw unanswered(part, "assistantOnlyLoss", "needs turns of an assistant", "conversations");
  }
  if (assistantOnlyLoss) expectAssistantMarks(options);
  noteUnusedTemplate(chatTemplate, format, notes);
}

/** Rows that say where their completion begins. */
function hasCompletions({ layout, dataset: { columnNames } }: LayoutPart): boolean {
  if (layout.shape === "input-ids") return ["completion_mask", "labels"].some((column) => columnNames.includes(column));
  return layout.shape !== "messages" && layout.shape !== "text";
}

function unanswered({ name, format }: LayoutPart, field: string, problem: string, expected: string): DataPreparationError {
  return new DataPreparationError({
    operation: name ?? "data",
    problem: `{${field}} ${problem}`,
    expected,
    got: `rows of the layout ${format.layout}`,
    advice: `leave {${field}} out`,
    fields: [field],
  });
}
