import type { PeftModel } from "@kto/lora";
import { createOptimizer, createSchedule, type Optimizer, type Schedule } from "@kto/optim";
import type { CausalLM, ParameterBucket } from "@kto/tensor";
import type { Reference } from "../scoring/reference.js";
import type { RunPlan } from "./run-plan.js";
import type { TrainingConfig } from "./training-config.js";

/** What a run owns besides the adapter. */
export interface RunParts extends Disposable {
  reference: Reference;
  optimizer: Optimizer;
  /** In the layout of the adapter that is trained. */
  gradients: ParameterBucket;
}

/** Opens what a run owns; `makeReference` comes last, and if it fails nothing is left. */
export async function openRunParts(
  model: PeftModel<CausalLM>,
  args: TrainingConfig,
  makeReference: () => Promise<Reference>,
): Promise<RunParts> {
  const parameters = model.activeAdapter.bucket;
  const optimizer = createOptimizer(args.optim, [parameters], {
    beta1: args.adamBeta1,
    beta2: args.adamBeta2,
    eps: args.adamEpsilon,
    weightDecay: args.weightDecay,
  });
  const gradients = parameters.like("gradients");
  const own = [gradients, optimizer];
  try {
    const reference = await makeReference();
    return { reference, optimizer, gradients, [Symbol.dispose]: () => [...own, reference].forEach((part) => part[Symbol.dispose]()) };
  } catch (error) {
    for (const part of own) part.dispose();
    throw error;
  }
}

/** The schedule of a run's learning rate. Throws ScheduleError for arguments that it does not take. */
export function runSchedule(args: TrainingConfig, { totalUpdates }: RunPlan): Schedule {
  return createSchedule({
    name: args.lrSchedulerType,
    learningRate: args.learningRate,
    numTrainingSteps: totalUpdates,
    warmupSteps: args.warmupSteps,
    kwargs: args.lrSchedulerKwargs,
  });
}
