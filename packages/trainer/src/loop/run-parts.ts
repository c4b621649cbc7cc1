import type { PeftModel } from "@kto/lora";
import { createOptimizer, createSchedule, type Optimizer, type Schedule } from "@kto/optim";
import type { ParameterBucket } from "@kto/tensor";
import type { SourceRow } from "../data/rows.js";
import type { TokenCache } from "../data/token-cache.js";
import type { MakeReference, Reference, ReferenceUse } from "../scoring/reference.js";
import type { Belongings } from "./belongings.js";
import type { Collective } from "./collective.js";
import type { TrainerEvent } from "./events.js";
import { GradientSums } from "./gradient-sums.js";
import type { Method, PrecomputeOptions } from "./method.js";
import type { RunOutput } from "./output.js";
import type { Policy } from "./policy.js";
import type { RunPlan } from "./run-plan.js";
import type { Tracker } from "./tracker.js";
import type { NamedModel } from "./trained-model.js";
import type { RunProgress } from "./trainer-state.js";
import type { TrainingConfig } from "./training-config.js";
import type { UpdateContext } from "./update.js";

/** What a trainer plans its run with, and goes through it. */
export interface RunSetting<Row extends SourceRow> {
  readonly method: Method<Row>;
  readonly args: TrainingConfig;
  readonly model: PeftModel<NamedModel>;
  readonly policy: Policy;
  readonly collective: Collective;
  readonly output: RunOutput | undefined;
  readonly trackers: readonly Tracker[] | undefined;
  /** Keeps what is computed beforehand. */
  readonly referenceCache: TokenCache | undefined;
  /** Kept up to date by the run. */
  readonly progress: RunProgress;
  /** What goes with what is trained, as it stands. */
  belongings: () => Belongings;
  emit: (event: TrainerEvent) => void;
}

/** What a run owns besides the policy. */
export interface RunParts extends Disposable {
  reference: Reference;
  optimizer: Optimizer;
  /** In the layout of the policy's parameters. */
  gradients: readonly ParameterBucket[];
  gradientSums: GradientSums;
}

/** Opens what a run owns, and lets gradients flow to the policy until it is disposed; the reference comes last, and if it fails nothing is left. */
export async function openRunParts<Row extends SourceRow>(setting: RunSetting<Row>, references: MakeReference): Promise<RunParts> {
  const { policy, args, collective } = setting;
  const { buckets, device } = policy;
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
    const gradientSums = new GradientSums(device, collective, { parameters: buckets, gradients });
    own.push(gradientSums);
    const reference = await references(useOfReference(setting));
    own.push(reference, ...buckets.map(withGradients));
    return { reference, optimizer, gradients, gradientSums, [Symbol.dispose]: dispose };
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

/** While the policy changes there is a reference to compare with, unless all that is asked of it is computed before. */
export function useOfReference<Row extends SourceRow>({ method, args }: Pick<RunSetting<Row>, "method" | "args">): ReferenceUse {
  const isPrecomputed = method.precompute !== undefined && args.evalStrategy === "no";
  return isPrecomputed || method.reference === undefined ? "unchanged" : "throughout";
}

/** How a method computes beforehand: with the cache of the run, and told of. */
export function precomputing<Row extends SourceRow>(
  { referenceCache: cache, collective, emit }: Pick<RunSetting<Row>, "referenceCache" | "collective" | "emit">,
  { length: total }: { length: number },
  signal: AbortSignal | undefined,
): PrecomputeOptions {
  return {
    signal,
    cache,
    collective,
    onProgress: (done) => emit({ type: "precompute", done, total }),
    onKept: (kept) => emit({ type: "referenceCache", ...kept }),
  };
}

/** What updates are recorded with, besides the parts that a run owns. */
export function updatesWith<Row extends SourceRow>(
  { policy, method, collective, args }: RunSetting<Row>,
  counts: RunPlan,
): Pick<UpdateContext<Row>, "policy" | "method" | "collective" | "args" | "counts"> {
  return { policy, method, collective, args, counts };
}
