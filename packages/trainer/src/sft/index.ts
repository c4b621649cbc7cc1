export { packDocuments, type Document, type PackedRow } from "./pack-documents.js";
export { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions, type SftRow } from "./prepare-sft-dataset.js";
export { sftMethod } from "./sft-method.js";
export { SFTTrainer, type SFTTrainerOptions } from "./sft-trainer.js";
