import { optimizerNames } from "@kto/optim";
import { KtoError } from "@kto/tensor";

/** Arguments of `KTOTrainer`; names and defaults are trl 1.16's, in camelCase, except where a comment says otherwise. */
export interface KTOConfig {
  perDeviceTrainBatchSize: number;
  perDeviceEvalBatchSize: number;
  gradientAccumulationSteps: number;
  numTrainEpochs: number;
  /** Overrides `numTrainEpochs` when positive. */
  maxSteps: number;
  learningRate: number;
  lrSchedulerType: string;
  lrSchedulerKwargs: Record<string, unknown>;
  /** Updates of warm-up; below 1 a share of all updates, rounded up. */
  warmupSteps: number;
  /** A name of transformers' `optim`: see `optimizerNames` of `@kto/optim`. */
  optim: string;
  weightDecay: number;
  adamBeta1: number;
  adamBeta2: number;
  adamEpsilon: number;
  /** Gradients are clipped to this norm; 0 for no clipping. */
  maxGradNorm: number;
  beta: number;
  desirableWeight: number;
  undesirableWeight: number;
  lossType: "kto" | "apo_zero_unpaired";
  /** Tokens of prompt and completion together; null for no limit. */
  maxLength: number | null;
  precomputeRefLogProbs: boolean;
  /** Default: `perDeviceTrainBatchSize`. */
  precomputeRefBatchSize: number | null;
  /** Ours: `auto` (trl has true) runs as few layers again as the memory budget asks for, all of them where no budget is known. */
  gradientCheckpointing: boolean | "auto";
  /** Turns off `loraDropout`, as trl does by default. */
  disableDropout: boolean;
  loggingStrategy: "no" | "steps" | "epoch";
  loggingSteps: number;
  loggingFirstStep: boolean;
  evalStrategy: "no" | "steps" | "epoch";
  /** Default: `loggingSteps`. */
  evalSteps: number | null;
  saveStrategy: "no" | "steps" | "epoch";
  saveSteps: number;
  saveTotalLimit: number | null;
  seed: number;
  /** Ours: power of two that gradients are multiplied by on the way back, so that f16 operands hold them; "auto" is 2^14 for f16 models, else 1. */
  lossScale: number | "auto";
}

/** Defaults of trl 1.16. */
export const ktoDefaults: Readonly<KTOConfig> = {
  perDeviceTrainBatchSize: 8,
  perDeviceEvalBatchSize: 8,
  gradientAccumulationSteps: 1,
  numTrainEpochs: 3,
  maxSteps: -1,
  learningRate: 1e-6,
  lrSchedulerType: "linear",
  lrSchedulerKwargs: {},
  warmupSteps: 0,
  optim: "adamw_torch",
  weightDecay: 0,
  adamBeta1: 0.9,
  adamBeta2: 0.999,
  adamEpsilon: 1e-8,
  maxGradNorm: 1,
  beta: 0.1,
  desirableWeight: 1,
  undesirableWeight: 1,
  lossType: "kto",
  maxLength: 1024,
  precomputeRefLogProbs: false,
  precomputeRefBatchSize: null,
  gradientCheckpointing: "auto",
  disableDropout: true,
  loggingStrategy: "steps",
  loggingSteps: 10,
  loggingFirstStep: false,
  evalStrategy: "no",
  evalSteps: null,
  saveStrategy: "steps",
  saveSteps: 500,
  saveTotalLimit: null,
  seed: 42,
  lossScale: "auto",
};

/** An argument of the wrong type or range, or arguments that contradict each other. */
export class TrainerConfigError extends KtoError {
  readonly field: string;

  constructor(message: string, field: string) {
    super("TRAINER_CONFIG", message);
    this.field = field;
  }
}

type Rule = readonly [holds: (value: unknown) => boolean, expected: string];

const integerFrom = (least: number): Rule => [
  (value) => Number.isSafeInteger(value) && (value as number) >= least,
  `an integer of at least ${least}`,
];
const numberFrom = (least: number): Rule => [
  (value) => typeof value === "number" && Number.isFinite(value) && value >= least,
  `a number of at least ${least}`,
];
const above = (bound: number): Rule => [
  (value) => typeof value === "number" && Number.isFinite(value) && value > bound,
  `a number above ${bound}`,
];
const share: Rule = [(value) => typeof value === "number" && value >= 0 && value < 1, "a number from 0 to below 1"];
const boolean: Rule = [(value) => typeof value === "boolean", "true or false"];
const oneOf = (...names: string[]): Rule => [(value) => names.includes(value as string), `one of ${names.join(", ")}`];
const orNull = ([holds, expected]: Rule): Rule => [(value) => value === null || holds(value), `${expected}, or null`];

const rules: Record<keyof KTOConfig, Rule> = {
  perDeviceTrainBatchSize: integerFrom(1),
  perDeviceEvalBatchSize: integerFrom(1),
  gradientAccumulationSteps: integerFrom(1),
  numTrainEpochs: above(0),
  maxSteps: integerFrom(-1),
  learningRate: numberFrom(0),
  lrSchedulerType: [(value) => typeof value === "string", "the name of a schedule"],
  lrSchedulerKwargs: [(value) => typeof value === "object" && value !== null, "an object"],
  warmupSteps: numberFrom(0),
  optim: oneOf(...optimizerNames),
  weightDecay: numberFrom(0),
  adamBeta1: share,
  adamBeta2: share,
  adamEpsilon: numberFrom(0),
  maxGradNorm: numberFrom(0),
  beta: above(0),
  desirableWeight: numberFrom(0),
  undesirableWeight: numberFrom(0),
  lossType: oneOf("kto", "apo_zero_unpaired"),
  maxLength: orNull(integerFrom(2)),
  precomputeRefLogProbs: boolean,
  precomputeRefBatchSize: orNull(integerFrom(1)),
  gradientCheckpointing: [(value) => typeof value === "boolean" || value === "auto", 'true, false or "auto"'],
  disableDropout: boolean,
  loggingStrategy: oneOf("no", "steps", "epoch"),
  loggingSteps: integerFrom(1),
  loggingFirstStep: boolean,
  evalStrategy: oneOf("no", "steps", "epoch"),
  evalSteps: orNull(integerFrom(1)),
  saveStrategy: oneOf("no", "steps", "epoch"),
  saveSteps: integerFrom(1),
  saveTotalLimit: orNull(integerFrom(1)),
  seed: integerFrom(0),
  lossScale: [
    (value) => value === "auto" || (typeof value === "number" && value > 0 && Number.isInteger(Math.log2(value))),
    'a power of two, or "auto"',
  ],
};

/** Complete arguments: the given ones over the defaults. Throws TrainerConfigError for an unknown field, a wrong value, or `kto` with batches of one row. */
export function ktoConfig(given: Partial<KTOConfig> = {}): KTOConfig {
  const config = { ...ktoDefaults };
  for (const [field, value] of Object.entries(given)) {
    if (!Object.hasOwn(rules, field))
      throw new TrainerConfigError(`ktoConfig: there is no field "${field}"; expected one of ${Object.keys(rules).join(", ")}`, field);
    if (value !== undefined) Object.assign(config, { [field]: value });
  }
  for (const [field, [holds, expected]] of Object.entries(rules)) {
    const value = config[field as keyof KTOConfig];
    if (!holds(value))
      throw new TrainerConfigError(`ktoConfig: ${field} is not usable; expected ${expected}, got ${JSON.stringify(value)}`, field);
  }
  if (config.lossType === "kto" && config.perDeviceTrainBatchSize < 2) {
    throw new TrainerConfigError(
      `ktoConfig: perDeviceTrainBatchSize is too small for the loss kto, which pairs each prompt with another row's completion; expected at least 2, got ${config.perDeviceTrainBatchSize}; raise it, or use lossType "apo_zero_unpaired"`,
      "perDeviceTrainBatchSize",
    );
  }
  return config;
}
