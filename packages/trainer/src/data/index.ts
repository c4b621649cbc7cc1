export { type DataReport, type ReportOptions, type ReportSequence } from "./data-report.js";
export { DataPreparationError } from "./errors.js";
export { formatsOf, type DataFormat } from "./layout-parts.js";
export { lengthHistogram, rowLengths, type HistogramBin, type LengthSummary, type RowLengths } from "./lengths.js";
export type { PrepareOptions, PrepareProgress } from "./prepare-options.js";
export type { PreparedDataset } from "./prepared-dataset.js";
export type { ReportToken } from "./report-tokens.js";
export {
  cutRow,
  describeDrop,
  describeDropKind,
  describeDrops,
  dropKinds,
  EmptyRowError,
  reasonToDrop,
  rowLength,
  scoredTokens,
  type DroppedRow,
  type DropKind,
  type DropReason,
  type ScoredRow,
  type SourceRow,
} from "./rows.js";
export { checkRows, tokenizeRows, type CheckedRows, type CheckOptions, type TokenizedRow, type TokenizedRows } from "./read-rows.js";
export type { RowSequence } from "./row-sequence.js";
export type { KeyPart, StoredTokens, TokenBytes, TokenCache, TokenWriter } from "./token-cache.js";
export type { CachedTokens } from "./tokenize-all.js";
export type { BatchTokens, OpenWorkers, RowBatch, TokenizeWorkers, WorkerSetup } from "./tokenize-workers.js";
export { tokenizePrompt, tokenizeRow, type TokenizeOptions } from "./tokenize-row.js";
export type { ChatMessage, ChatTemplateOptions, RenderedConversation, Tokenizer } from "./tokenizer.js";
