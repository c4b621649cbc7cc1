export { dpoMethod } from "./dpo-method.js";
export { DPOTrainer, type DPOTrainerOptions } from "./dpo-trainer.js";
