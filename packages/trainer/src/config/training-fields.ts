import {
  boolean,
  booleanOr,
  choice,
  field,
  integer,
  map,
  number,
  numberOr,
  orNull,
  text,
  where,
  type RuleMistake,
  type Values,
} from "@kto/core/config";
import { followsMetric, optimizerNames, scheduleNames } from "@kto/optim";

const strategies = ["no", "steps", "epoch"] as const;
const schedules = choice(scheduleNames);
/** `SchedulerType.REDUCE_ON_PLATEAU` is the one member whose name is another than its value. */
const schedule = {
  ...schedules,
  convert: (given: unknown) =>
    schedules.convert!(typeof given === "string" ? given.replace(/reduce_on_plateau$/i, "reduce_lr_on_plateau") : given),
};
const isCount = (value: number | "auto"): boolean => value === "auto" || (Number.isInteger(value) && value >= 1);
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
  gradientCheckpointing: field({ ...booleanOr("auto"), convert: (given) => given ?? "auto" }, "auto", {
    group: "batches",
    fate: "different",
    aliases: ["activation_checkpointing"],
    help: "computes decoder layers again in the backward pass instead of keeping their activations; auto: as few as the memory asks for",
    notes:
      "where no budget is known auto is all of them; true: all of them, and keeps memory smallest (rows go through in passes of 2,048 tokens); false: none. trl's default is true; null is auto",
  }),
  microBatchesPerPass: field(where(numberOr("auto"), isCount, 'a whole number of at least 1, or "auto"'), "auto", {
    group: "batches",
    fate: "ours",
    help: "micro-batches of an update that go through the model in one pass, each with a loss of its own: faster, for more memory",
    notes:
      "auto: as many as the memory has room for, up to 8,192 tokens, where a budget is known and no layer is checkpointed, else 1; a number is kept to, and refused where it does not fit. The same up to the order of sums. Always 1 with dropout that acts, and with the loss kto on several GPUs or with shared_prompts: false",
  }),
  offloadEmbedding: field(boolean(), false, {
    group: "batches",
    fate: "ours",
    help: "keeps the matrix that looks tokens up in the host's memory, and sends the rows of each batch's tokens: less GPU memory, the same numbers",
    notes:
      "Unsloth's offload_embedding. What generates during a run brings the matrix back for that time. Refused for a model whose head is the same matrix (tie_word_embeddings), and of a model that was loaded so that every weight can be trained",
  }),
  numTrainEpochs: field(number({ above: 0 }), 3, { group: "schedule", help: "how often every row is trained on" }),
  maxSteps: field(integer(-1), -1, { group: "schedule", help: "updates of the run, in place of epochs where it is above 0" }),
  learningRate: field(number({ least: 0 }), 1e-6, { group: "schedule", help: "size of an update at its highest, after the warm-up" }),
  lrSchedulerType: field(schedule, "linear", {
    group: "schedule",
    help: "how the learning rate falls",
    notes: `${scheduleNames.join(", ")}; the last two follow a metric of the evaluation and need an \`eval_strategy\``,
  }),
  lrSchedulerKwargs: field(
    map(),
    {},
    {
      group: "schedule",
      help: "numbers of the schedule: num_cycles, power, min_lr and others",
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
      "adamw_torch and its kin (adamw, fused, xla, npu, apex, hf, anyprecision): torch's AdamW; adamw_8bit, adamw_bnb_8bit, paged_adamw_8bit, adamw_torch_8bit: that of bitsandbytes with 8-bit moments; paged_adamw_32bit: the same with f32 moments; nothing is ever paged; others are refused",
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
  loadBestModelAtEnd: field(boolean(), false, {
    group: "logging",
    help: "ends with the weights of the best checkpoint, by metric_for_best_model, in place of the last ones",
    notes: "eval_strategy and save_strategy must be the same, and save_steps a multiple of eval_steps, unless save_strategy is best",
  }),
  metricForBestModel: field(orNull(text()), null, {
    group: "logging",
    help: "the metric of the evaluation, with or without eval_, that the best model, early stopping, reduce_lr_on_plateau and greedy go by; null is loss",
    notes: "one that no evaluation logs is refused before the run, with those that there are",
  }),
  greaterIsBetter: field(orNull(boolean()), null, {
    group: "logging",
    help: "whether more of that metric is better; null: yes, unless its name ends in loss",
    notes: "schedules have `mode` in lr_scheduler_kwargs",
  }),
  earlyStoppingPatience: field(orNull(integer(1)), null, {
    group: "logging",
    fate: "ours",
    help: "ends the run after so many evaluations in a row without progress; null for never",
    notes: "transformers' EarlyStoppingCallback; the count is kept in checkpoints",
  }),
  earlyStoppingThreshold: field(number({ least: 0 }), 0, {
    group: "logging",
    fate: "ours",
    help: "how much better than the best an evaluation must be to count as progress",
    notes: "transformers' EarlyStoppingCallback",
  }),
  evalSteps: field(orNull(integer(1)), null, {
    group: "logging",
    fate: "different",
    help: "updates between two evaluations",
    notes: "an integer; null is logging_steps",
  }),
  saveStrategy: field(choice([...strategies, "best"]), "steps", {
    group: "logging",
    help: "when a checkpoint is written; by steps and epoch a run ends with one; best: after an evaluation that is better than all before",
  }),
  saveSteps: field(integer(1), 500, {
    group: "logging",
    fate: "different",
    help: "updates between two checkpoints",
    notes: "an integer",
  }),
  saveTotalLimit: field(orNull(integer(1)), null, {
    group: "logging",
    help: "checkpoints that are kept: the newest, and the best among them; null for all",
  }),
  lossScale: field(where(numberOr("auto"), powerOfTwo, 'a power of two, or "auto"'), "auto", {
    group: "optimizer",
    fate: "ours",
    onDisk: null,
    help: "power of two that gradients are multiplied by on the way back, so that f16 operands hold them; auto is 2^14 for f16 models, else 1",
  }),
};

/** The arguments that `trainingContradictions` looks at. */
type Contradictable = Pick<
  Values<typeof trainingFields>,
  | "lrSchedulerType"
  | "evalStrategy"
  | "evalSteps"
  | "loggingSteps"
  | "saveStrategy"
  | "saveSteps"
  | "loadBestModelAtEnd"
  | "earlyStoppingPatience"
>;

/** What contradicts what in arguments of any method that are each usable. */
export function trainingContradictions(values: Contradictable): RuleMistake[] {
  const { lrSchedulerType: name, evalStrategy, evalSteps, loggingSteps, saveStrategy, saveSteps } = values;
  const advice = 'set {evalStrategy} to "steps" or "epoch"';
  const withoutEvaluation = (field: keyof Contradictable, problem: string, instead: string): RuleMistake => ({
    field,
    problem: `${problem}, and there is none`,
    expected: "an {evalStrategy}",
    got: '"no"',
    advice: `${advice}, or ${instead}`,
  });
  const found: RuleMistake[] = [];
  if (evalStrategy === "no") {
    if (followsMetric(name))
      found.push(withoutEvaluation("lrSchedulerType", `${name} follows a metric of the evaluation`, "take another schedule"));
    if (values.loadBestModelAtEnd)
      found.push(withoutEvaluation("loadBestModelAtEnd", "the best model is chosen by an evaluation", "leave it out"));
    else if (saveStrategy === "best") found.push(withoutEvaluation("saveStrategy", "best is told by an evaluation", "take another one"));
    if (values.earlyStoppingPatience !== null)
      found.push(withoutEvaluation("earlyStoppingPatience", "early stopping goes by an evaluation", "leave it out"));
    return found;
  }
  if (!values.loadBestModelAtEnd || saveStrategy === "best") return found;
  const everyEval = evalSteps ?? loggingSteps;
  if (saveStrategy !== evalStrategy)
    found.push({
      field: "loadBestModelAtEnd",
      problem: "checkpoints are not written when models are evaluated",
      expected: "{saveStrategy} to be the same as {evalStrategy}, or best",
      got: `${saveStrategy} and ${evalStrategy}`,
      advice: 'set {saveStrategy} to "best", which writes a checkpoint after each evaluation that is better than all before',
    });
  else if (saveStrategy === "steps" && saveSteps % everyEval !== 0)
    found.push({
      field: "loadBestModelAtEnd",
      problem: "checkpoints are written where no model is evaluated",
      expected: `{saveSteps} to be a multiple of {evalSteps}, ${everyEval}`,
      got: String(saveSteps),
      advice: 'set them to the same number, or {saveStrategy} to "best"',
    });
  return found;
}
