import { createOptimizer, createSchedule, type Optimizer, type Schedule } from "@kto/optim";
import type { ParameterBucket } from "@kto/tensor";
import type { Reference } from "../scoring/reference.js";
import type { Policy } from "./policy.js";
import type { RunPlan } from "./run-plan.js";
import type { TrainingConfig } from "./training-config.js";

/** What a run owns besides the policy. */
export interface RunParts extends Disposable {
  reference: Reference;
  optimizer: Optimizer;
  /** In the layout of the policy's parameters. */
  gradients: readonly ParameterBucket[];
}

/** Opens what a run owns, and lets gradients flow to the policy until it is disposed; `makeReference` comes last, and if it fails nothing is left. */
export async function openRunParts(policy: Policy, args: TrainingConfig, makeReference: () => Promise<Reference>): Promise<RunParts> {
  const { buckets } = policy;
  const own: Disposable[] = [];
  const dispose = (): void => own.reverse().forEach((part) => part[Symbol.dispose]());
  try {
    const optimizer = createOptimizer(args.optim, buckets, {
      beta1: args.adamBeta1,
      beta2: args.adamBeta2,
      eps: args.adamEpsilon,
      weightDecay: args.weightDecay,
    });
    own.push(optimizer);
    const gradients = buckets.map((bucket) => {
      const gradient = bucket.like("gradients");
      own.push(gradient);
      return gradient;
    });
    const reference = await makeReference();
    own.push(reference, ...buckets.map(withGradients));
    return { reference, optimizer, gradients, [Symbol.dispose]: dispose };
  } catch (error) {
    dispose();
    throw error;
  }
}

/** Lets gradients flow to a bucket until it is disposed. */
function withGradients(bucket: ParameterBucket): Disposable {
  const before = bucket.requiresGrad;
  bucket.requiresGrad = true;
  return { [Symbol.dispose]: () => void (bucket.requiresGrad = before) };
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
