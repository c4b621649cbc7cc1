import { fileURLToPath } from "node:url";
import { labelOf, textOf } from "@kto/datasets";
import { loadDataset } from "@kto/kit";
import { splitPromptCompletion, type Tokenizer } from "@kto/tokenizer";
import type { Example } from "./train.js";

const inQuickstart = (name: string): string => fileURLToPath(new URL(`../../quickstart/${name}`, import.meta.url));

/** Folder of the quickstart's model. */
export const quickstartModel: string = inQuickstart("model");

/** The quickstart's marked answers as ids. */
export async function loadExamples(tokenizer: Tokenizer): Promise<Example[]> {
  const rows = await loadDataset(inQuickstart("data/train.jsonl"));
  return Array.from(rows, (row, index) => ({
    ...splitPromptCompletion(tokenizer, { prompt: textOf(row, "prompt", index), completion: textOf(row, "completion", index) }),
    label: labelOf(row, index),
  }));
}
