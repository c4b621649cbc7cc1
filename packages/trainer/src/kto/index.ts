export { classBalance, describeBalance, type BalanceWarning, type ClassBalance, type ClassWeights } from "./class-balance.js";
export { ktoDataReport, type KtoDataReport, type KtoSample } from "./data-report.js";
export { ktoMethod } from "./kto-method.js";
export { KTOTrainer, type KTOTrainerOptions } from "./kto-trainer.js";
export { prepareKtoDataset, type KtoRow, type PreparedKtoDataset, type PrepareKtoOptions } from "./prepare-kto-dataset.js";
