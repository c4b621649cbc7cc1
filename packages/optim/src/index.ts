export { type ScheduleKwargs } from "./curves.js";
export { ScheduleError } from "./errors.js";
export {
  createSchedule,
  scheduleKwargsFromDisk,
  scheduleNames,
  type Schedule,
  type ScheduleName,
  type ScheduleOptions,
} from "./schedule.js";
export { warmupUpdateCount } from "./warmup.js";
export { AdamW, type AdamWOptions, type AdamWStepOptions } from "./adamw.js";
