import type { Store } from "@kto/core";
import type { DataRow, Dataset } from "@kto/datasets";
import { answerSamples, samplePrompts, type ModelFiles, type SamplePrompt } from "@kto/kit";
import type { Tokenizer } from "@kto/tokenizer";
import type { Tracker, TrainingConfig } from "@kto/trainer";
import type { TrainValues } from "../config/train-fields.js";
import type { Console } from "../render/console.js";
import { formatCounted } from "../render/format.js";
import { answerRoom } from "./answer-room.js";

/** What is answered before and after a run. */
export interface RunSamples {
  prompts: readonly SamplePrompt[];
  /** Which data they are of. */
  split: "train" | "eval";
  tokenizer: Tokenizer;
  maxNewTokens: number;
  /** Tokens of prompt and answer together at most. */
  maxLength: number;
}

/** What prompts are chosen from. */
export interface SampleMaterials {
  values: Pick<TrainValues, "numPrompts" | "maxNewTokens">;
  args: TrainingConfig;
  model: Pick<ModelFiles, "tokenizer" | "config" | "generationConfig">;
  chatTemplate: string | undefined;
  dataset: Dataset<DataRow>;
  split: "train" | "eval";
}

/** The prompts that `num_prompts` asks for; undefined for none. Says which rows were passed over. */
export function runSamples(
  { values, args, model, chatTemplate, dataset, split }: SampleMaterials,
  onNote: (note: string) => void,
): RunSamples | undefined {
  const { numPrompts, maxNewTokens } = values;
  if (numPrompts === 0) return undefined;
  const { datasetTextField: textField, eosToken } = args as { datasetTextField?: string; eosToken?: string | null };
  const tokenizer = eosToken ? model.tokenizer?.withEosToken(eosToken) : model.tokenizer;
  if (!tokenizer) {
    onNote("no prompts are answered before and after: the model has no tokenizer to write text with");
    return undefined;
  }
  const { limit } = answerRoom({ maxLength: args.maxLength, maxNewTokens }, model);
  const { prompts, passedOver } = samplePrompts(dataset, { tokenizer, chatTemplate, numPrompts, maxPromptTokens: limit - 1, textField });
  const [first] = passedOver;
  if (first) {
    const missing = prompts.length === 0 ? "no prompts are answered before and after" : "samples: some rows are passed over";
    onNote(`${missing}: ${formatCounted(passedOver.length, "row")}, the first of them row ${first.row}: ${first.why}`);
  }
  return prompts.length === 0 ? undefined : { prompts, split, tokenizer, maxNewTokens, maxLength: limit };
}

/** Answers them before and after the run, and says so. */
export function samplesTracker(
  samples: RunSamples,
  store: Store,
  { console, onProgress }: { console: Console; onProgress(done: number, total: number): void },
): Tracker {
  const { prompts, split } = samples;
  console.fact(
    "samples",
    `${formatCounted(prompts.length, "prompt")} of the ${split === "eval" ? "eval" : "training"} data, before and after`,
  );
  return answerSamples({
    ...samples,
    store,
    onProgress,
    onWarning: (text) => console.warn(text),
  });
}
