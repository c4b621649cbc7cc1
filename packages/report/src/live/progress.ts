import type { Run } from "../run/run.js";
import type { RunStatus } from "./live-run.js";

/** Rows by which the pace of a run is told. */
const numPaceRows = 20;

/**
 * How far a run is by its log and config: `max_steps`, or the share of its epochs; and the time that is left at the pace of the last rows. Undefined is what they do not tell.
 */
export function progressOf({
  records,
  config,
  results,
}: Pick<Run, "records" | "config" | "results">): Pick<RunStatus, "step" | "totalUpdates" | "secondsLeft"> {
  const last = typeof results?.["global_step"] === "number" ? { step: results["global_step"], epoch: results["epoch"] } : records.at(-1);
  const step = last?.["step"];
  if (typeof step !== "number") return {};
  const numberOf = (field: string): number => Number(config.find(({ name }) => name === field)?.value ?? Number.NaN);
  const [maxSteps, numEpochs, epoch] = [numberOf("max_steps"), numberOf("num_train_epochs"), last?.["epoch"]];
  const total =
    maxSteps > 0 ? maxSteps : typeof epoch === "number" && epoch > 0 && numEpochs > 0 ? Math.round((step * numEpochs) / epoch) : undefined;
  if (total === undefined || total < step) return { step };
  const times = records.slice(-numPaceRows).flatMap(({ step_time_ms: ms }) => (typeof ms === "number" ? [ms] : []));
  const meanMs = times.reduce((sum, ms) => sum + ms, 0) / times.length;
  return { step, totalUpdates: total, ...(times.length > 0 && { secondsLeft: (meanMs * (total - step)) / 1000 }) };
}
