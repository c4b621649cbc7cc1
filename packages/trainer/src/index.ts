export { ktoConfig, ktoContradictions, ktoDefaults, TrainerConfigError, type KTOConfig } from "./config/kto-config.js";
export { ktoFields } from "./config/kto-fields.js";
export { trainingFields } from "./config/training-fields.js";
export * from "./data/index.js";
export * from "./kto/index.js";
export * from "./loop/index.js";
export type { MemoryPlan } from "./memory/memory-plan.js";
export { inPasses, type PassLayout } from "./memory/passes.js";
export * from "./scoring/index.js";
