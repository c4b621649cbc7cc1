export { OptimizerError, ScheduleError } from "./errors.js";
export { scheduleKwargsFromDisk, type ScheduleKwargs } from "./kwargs.js";
export {
  createSchedule,
  followsMetric,
  scheduleNames,
  type MetricScheduleName,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
} from "./schedule.js";
export { warmupUpdateCount } from "./warmup.js";
export { AdamW, type AdamWOptions } from "./adamw.js";
export { AdamW8bit, type AdamW8bitOptions } from "./adamw-8bit.js";
export { createOptimizer, optimizerKind, optimizerNames, optimizerNote } from "./create-optimizer.js";
export type { StateReader } from "./state-pieces.js";
export { type Optimizer, type OptimizerKind, type StateTensor, type StepOptions } from "./optimizer.js";
