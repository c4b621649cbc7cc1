import { fileURLToPath } from "node:url";
import { labelOf, textOf, type DataRow } from "@kto/datasets";
import { readJson } from "@kto/datasets/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/core/node";
import type { Device } from "@kto/tensor";
import { splitPromptCompletion } from "@kto/tokenizer";
import { loadTokenizer } from "@kto/tokenizer/node";
import type { ScoredRow } from "@kto/trainer";

/** A prompt, its completion, and whether it was liked. */
export interface Example extends ScoredRow {
  label: boolean;
}

const inQuickstart = (name: string): string => fileURLToPath(new URL(`../../quickstart/${name}`, import.meta.url));

/** The quickstart's model. */
export function loadModel(device: Device): Promise<Qwen2ForCausalLM> {
  return Qwen2ForCausalLM.fromPretrained(fileDirectory(inQuickstart("model")), { device });
}

/** The quickstart's marked answers as ids. */
export async function loadExamples(): Promise<Example[]> {
  const tokenizer = await loadTokenizer(inQuickstart("model"));
  const rows = await readJson(inQuickstart("data/train.jsonl"));
  return Array.from(rows, (row: DataRow, index) => ({
    ...splitPromptCompletion(tokenizer, { prompt: textOf(row, "prompt", index), completion: textOf(row, "completion", index) }),
    label: labelOf(row, index),
  }));
}
