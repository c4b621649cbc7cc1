export { pairDataReport, type PairDataReport, type PairSample } from "./data-report.js";
export { checkPairRows, preparePairDataset, type PairRow, type PreparedPairDataset } from "./prepare-pair-dataset.js";
