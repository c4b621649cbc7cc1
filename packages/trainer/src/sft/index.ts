export { packDocuments, type Document, type PackedRow } from "./pack-documents.js";
export { prepareSftDataset, type PreparedSftDataset, type PrepareSftOptions, type SftRow } from "./prepare-sft-dataset.js";
