export { dpoMethod } from "./dpo-method.js";
export { DPOTrainer, type DPOTrainerOptions } from "./dpo-trainer.js";
export { prepareDpoDataset, type PairRow, type PreparedDpoDataset } from "./prepare-dpo-dataset.js";
