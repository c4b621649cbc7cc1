export { classBalance, type ClassBalance, type ClassWeights } from "./class-balance.js";
export { collateKto, padRows, type CollateOptions, type KtoBatch, type PaddedRows } from "./collate-kto.js";
export { dataReport, type DataReport, type DataReportOptions, type ReportSample, type ReportToken } from "./data-report.js";
export { DataPreparationError } from "./errors.js";
export { lengthHistogram, rowLengths, type HistogramBin, type LengthSummary, type RowLengths } from "./lengths.js";
export { toPreferenceRows, type PreferenceRows } from "./preference-rows.js";
export {
  prepareKtoDataset,
  reasonToDrop,
  type DroppedRow,
  type KtoRow,
  type PreparedKtoDataset,
  type PrepareKtoOptions,
  type PrepareProgress,
} from "./prepare-kto-dataset.js";
export { tokenizeRow, type TokenizedRow, type TokenizeOptions } from "./tokenize-row.js";
