import { boolean, booleanOr, choice, field, integer, map, number, numberOr, orNull, where } from "@kto/core/config";
import { optimizerNames, scheduleNames } from "@kto/optim";

const strategies = ["no", "steps", "epoch"] as const;
const powerOfTwo = (value: number | "auto"): boolean => value === "auto" || Number.isInteger(Math.log2(value));

/** Fields that every training method has. Names and defaults are those of trl 1.16 and transformers 5 but where a note says otherwise. */
export const trainingFields = {
  maxLength: field(orNull(integer(2)), 1024, {
    group: "data",
    help: "tokens of prompt and completion together: rows whose prompt fills it are dropped, longer ones cut at the end; null for neither",
  }),
  disableDropout: field(boolean(), true, { group: "adapter", help: "turns the adapter's dropout off, as trl does by default" }),
  perDeviceTrainBatchSize: field(integer(1), 8, {
    group: "batches",
    help: "rows of a micro-batch",
    notes: "at least 2 with the loss kto, which pairs each prompt with another row's completion",
  }),
  perDeviceEvalBatchSize: field(integer(1), 8, { group: "batches", help: "rows at a time where nothing is learnt" }),
  gradientAccumulationSteps: field(integer(1), 1, { group: "batches", help: "micro-batches of an update" }),
  gradientCheckpointing: field(booleanOr("auto"), "auto", {
    group: "batches",
    fate: "different",
    help: "computes decoder layers again in the backward pass instead of keeping their activations; auto: as few as the memory asks for",
    notes:
      "where no budget is known auto is all of them; true: all of them, and keeps memory smallest (rows go through in passes of 2,048 tokens); false: none. trl's default is true",
  }),
  numTrainEpochs: field(number({ above: 0 }), 3, { group: "schedule", help: "how often every row is trained on" }),
  maxSteps: field(integer(-1), -1, { group: "schedule", help: "updates of the run, in place of epochs where it is above 0" }),
  learningRate: field(number({ least: 0 }), 1e-6, { group: "schedule", help: "size of an update at its highest, after the warm-up" }),
  lrSchedulerType: field(choice(scheduleNames), "linear", {
    group: "schedule",
    fate: "different",
    help: "how the learning rate falls",
    notes: `one of ${scheduleNames.join(", ")}; others are refused`,
  }),
  lrSchedulerKwargs: field(
    map(),
    {},
    {
      group: "schedule",
      help: "numbers of the schedule: num_cycles, power, lr_end, min_lr, min_lr_rate",
    },
  ),
  warmupSteps: field(number({ least: 0 }), 0, {
    group: "schedule",
    help: "updates over which the learning rate rises; below 1 a share of the run, rounded up",
    notes: "as in transformers 5",
  }),
  optim: field(choice(optimizerNames), "adamw_torch", {
    group: "optimizer",
    fate: "different",
    help: "the optimizer, all of them AdamW",
    notes:
      "adamw, adamw_torch, adamw_torch_fused: torch's AdamW; adamw_8bit, adamw_bnb_8bit, paged_adamw_8bit: that of bitsandbytes with 8-bit moments, never paged; others are refused",
  }),
  weightDecay: field(number({ least: 0 }), 0, {
    group: "optimizer",
    help: "share of the weights that is taken away, times the learning rate",
  }),
  adamBeta1: field(number({ least: 0, below: 1 }), 0.9, { group: "optimizer", help: "memory of AdamW's mean of gradients" }),
  adamBeta2: field(number({ least: 0, below: 1 }), 0.999, { group: "optimizer", help: "memory of AdamW's mean of squared gradients" }),
  adamEpsilon: field(number({ least: 0 }), 1e-8, { group: "optimizer", help: "added to the root that AdamW divides by" }),
  maxGradNorm: field(number({ least: 0 }), 1, { group: "optimizer", help: "gradients are clipped to this norm; 0 for no clipping" }),
  seed: field(integer(0), 42, {
    group: "seeds",
    help: "where random numbers start: A of a fresh adapter, and dropout",
    notes: "the numbers are not torch's",
  }),
  loggingStrategy: field(choice(strategies), "steps", { group: "logging", help: "when metrics are logged" }),
  loggingSteps: field(integer(1), 10, {
    group: "logging",
    fate: "different",
    help: "updates between two logs",
    notes: "an integer; no shares of a run",
  }),
  loggingFirstStep: field(boolean(), false, { group: "logging", help: "logs the first update too" }),
  evalStrategy: field(choice(strategies), "no", {
    group: "logging",
    help: "when the eval data is evaluated",
    aliases: ["evaluation_strategy"],
  }),
  evalSteps: field(orNull(integer(1)), null, {
    group: "logging",
    fate: "different",
    help: "updates between two evaluations",
    notes: "an integer; null is logging_steps",
  }),
  saveStrategy: field(choice(strategies), "steps", {
    group: "logging",
    fate: "different",
    help: "when a checkpoint is written; a run ends with one unless this is no",
    notes: "not best",
  }),
  saveSteps: field(integer(1), 500, {
    group: "logging",
    fate: "different",
    help: "updates between two checkpoints",
    notes: "an integer",
  }),
  saveTotalLimit: field(orNull(integer(1)), null, { group: "logging", help: "checkpoints that are kept, the newest; null for all" }),
  lossScale: field(where(numberOr("auto"), powerOfTwo, 'a power of two, or "auto"'), "auto", {
    group: "optimizer",
    fate: "ours",
    onDisk: null,
    help: "power of two that gradients are multiplied by on the way back, so that f16 operands hold them; auto is 2^14 for f16 models, else 1",
  }),
};
