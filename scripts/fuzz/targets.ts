import { templateReader } from "../../packages/chat-templates/src/testing/fuzz-templates.js";
import { tableFuzz } from "../../packages/datasets/src/testing/table-fuzz.js";
import { textFuzz } from "../../packages/datasets/src/testing/text-fuzz.js";
import { ggufReader } from "../../packages/gguf-export/src/testing/fuzz-gguf.js";
import { fuzzedReaders as adapters } from "../../packages/lora/src/testing/fuzz-adapters.js";
import { fuzzedReaders as states } from "../../packages/nf4/src/testing/fuzz-states.js";
import { fuzzedReaders as models } from "../../packages/qwen2/src/testing/fuzz-models.js";
import { fuzzedReaders as files } from "../../packages/safetensors/src/testing/fuzz-files.js";
import { tokenizerReader } from "../../packages/tokenizer/src/testing/fuzz-tokenizer.js";
import { fuzzedReaders as checkpoints } from "../../packages/trainer/src/testing/fuzz-checkpoint.js";
import { configReader } from "./config-reader.js";
import { type FuzzTarget, targetFor } from "./target.js";

const readers = [...tableFuzz, ...textFuzz, ...files, ggufReader, ...states, ...models, ...adapters, configReader, ...checkpoints];

export const targets: readonly FuzzTarget[] = [templateReader, tokenizerReader, ...readers.map(targetFor)];

export function targetOf(name: string): FuzzTarget {
  const found = targets.find((target) => target.name === name);
  if (found) return found;
  throw new Error(`there is no target ${name}; expected one of ${targets.map((target) => target.name).join(", ")}`);
}
