export { checkSftRows } from "./check-sft-rows.js";
export { packDocuments, type SftDocument, type PackedRow } from "./pack-documents.js";
export type { SftRow, TokenCounts } from "./arrange-rows.js";
export { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions } from "./prepare-sft-dataset.js";
export { sftDataReport, type SftDataReport, type SftReportSample } from "./sft-data-report.js";
export { sftMethod } from "./sft-method.js";
export { SFTTrainer, type SFTTrainerOptions } from "./sft-trainer.js";
