export { cpoMethod } from "./cpo-method.js";
export { CPOTrainer, type CPOTrainerOptions } from "./cpo-trainer.js";
export { orpoMethod } from "./orpo-method.js";
export { ORPOTrainer, type ORPOTrainerOptions } from "./orpo-trainer.js";
