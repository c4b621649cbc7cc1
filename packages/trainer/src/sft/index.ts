export { checkSftRows } from "./check-sft-rows.js";
export { packDocuments, type SftDocument, type PackedRow } from "./pack-documents.js";
export { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions, type SftRow } from "./prepare-sft-dataset.js";
export { sftDataReport, type SftDataReport, type SftReportSample } from "./sft-data-report.js";
export { sftMethod } from "./sft-method.js";
export { SFTTrainer, type SFTTrainerOptions } from "./sft-trainer.js";
