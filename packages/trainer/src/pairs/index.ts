export { preparePairDataset, type PairRow, type PreparedPairDataset } from "./prepare-pair-dataset.js";
