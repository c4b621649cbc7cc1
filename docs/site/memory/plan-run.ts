import { ArgumentError } from "@kto/core";
import { Dataset, type DataRow } from "@kto/datasets";
import { countLoraParameters } from "@kto/lora";
import { readQuantizationConfig } from "@kto/nf4";
import { emptyCausalLM, readModelConfig, type QuantizeOnLoad } from "@kto/qwen2";
import { rehearsalDevice, type Capabilities } from "@kto/tensor";
import { CPOTrainer, DPOTrainer, KTOTrainer, ORPOTrainer, SFTTrainer, type MemoryPlan } from "@kto/trainer";
import type { ModelJson } from "./model-shapes.js";

/** A run whose memory is asked for. */
export interface RunToPlan {
  config: ModelJson;
  capabilities: Capabilities;
  method: keyof typeof trainers;
  /** How the base model is held; `trained`: there is no adapter, and every weight is trained. A config with `quantization_config` is in four bits whatever is said. */
  weights: "4-bit" | "16-bit" | "trained";
  loraRank: number;
  /** Last names of the adapted layers, or "all-linear". */
  loraTargets: "all-linear" | readonly string[];
  /** Rows, or pairs of them. */
  batchSize: number;
  /** Of each row; half of it is prompt. */
  tokens: number;
  optim: "adamw_torch" | "adamw_8bit";
  gradientCheckpointing: boolean | "auto";
  /** What the run may take; undefined where nobody says. */
  budgetBytes: number | undefined;
  /** Default that of the method. */
  sharedPrompts?: boolean;
}

/** What a run takes, and of what. */
export interface PlannedMemory {
  plan: MemoryPlan;
  numParameters: number;
  weightBytes: number;
  numTrainable: number;
  isFourBit: boolean;
}

const trainers = { kto: KTOTrainer, dpo: DPOTrainer, sft: SFTTrainer, orpo: ORPOTrainer, cpo: CPOTrainer } as const;

/**
 * Plans the memory of a run as `kto train` does, by rehearsing its largest step, on a device that computes nothing: without a GPU, and without the model's weights.
 *
 * @throws FormatError for a config that no model here has, OutOfMemoryError if the run does not fit into the budget, ArgumentError for numbers that are none
 */
export async function planRun(run: RunToPlan): Promise<PlannedMemory> {
  for (const name of ["loraRank", "batchSize", "tokens"] as const) {
    if (!Number.isInteger(run[name]) || run[name] < (name === "tokens" ? 4 : 1))
      throw new ArgumentError({
        operation: "plan",
        problem: `${name} is not usable`,
        expected: "a positive whole number",
        got: String(run[name]),
      });
  }
  using device = rehearsalDevice(run.capabilities);
  device.memory.budgetBytes = run.budgetBytes;
  const isTrained = run.weights === "trained";
  const quantization = quantizationOf(run);
  using model = emptyCausalLM(readModelConfig(run.config), { device, quantization, trainable: isTrained });
  using trainer = new trainers[run.method]({
    model,
    ...(isTrained
      ? {}
      : {
          peftConfig: {
            r: run.loraRank,
            loraAlpha: 16,
            targetModules: run.loraTargets === "all-linear" ? "all-linear" : [...run.loraTargets],
          },
        }),
    trainDataset: Dataset.from(rowsOf(run)),
    args: {
      perDeviceTrainBatchSize: run.batchSize,
      gradientAccumulationSteps: 1,
      maxSteps: 1,
      maxLength: run.tokens,
      optim: run.optim,
      gradientCheckpointing: run.gradientCheckpointing,
      ...(run.sharedPrompts !== undefined && { sharedPrompts: run.sharedPrompts }),
    },
  });
  const { memory } = await trainer.plan();
  return {
    plan: memory,
    numParameters: model.numParameters,
    weightBytes: model.weightBytes,
    numTrainable: isTrained ? model.numParameters : countLoraParameters(trainer.model.activeAdapter.targets),
    isFourBit: quantization !== undefined,
  };
}

/** What is in four bits: what the config says of its file; else, if that is asked for, all but the head, with double quantisation as in the files of the hub. */
function quantizationOf({ config, weights }: RunToPlan): QuantizeOnLoad | undefined {
  const written = readQuantizationConfig(config, "config.json");
  if (written) {
    const { bnb4bitUseDoubleQuant, llmInt8SkipModules } = written;
    return { loadIn4bit: true, bnb4bitUseDoubleQuant, llmInt8SkipModules };
  }
  return weights === "4-bit" ? { loadIn4bit: true, bnb4bitUseDoubleQuant: true } : undefined;
}

/** A batch of the longest rows, in the layout of the method: half prompt, half completion. */
function rowsOf({ method, batchSize, tokens }: RunToPlan): DataRow[] {
  const promptTokens = Math.floor(tokens / 2);
  const prompt_ids = Array.from({ length: promptTokens }, () => 1);
  const answer = Array.from({ length: tokens - promptTokens }, () => 2);
  return Array.from({ length: batchSize }, (_, row) => {
    if (method === "kto") return { prompt_ids, completion_ids: answer, label: row % 2 === 0 };
    if (method === "sft") return { prompt_ids, completion_ids: answer };
    return { prompt_ids, chosen_ids: answer, rejected_ids: answer };
  });
}
