import { fuzzedReaders as adapters } from "../../packages/lora/src/testing/fuzz-adapters.js";
import { fuzzedReaders as states } from "../../packages/nf4/src/testing/fuzz-states.js";
import { fuzzedReaders as models } from "../../packages/qwen2/src/testing/fuzz-models.js";
import { fuzzedReaders as files } from "../../packages/safetensors/src/testing/fuzz-files.js";
import { mutateBytes } from "./mutate-bytes.js";
import { mutateJson } from "./mutate-json.js";
import { mutateText } from "./mutate-text.js";
import type { FuzzTarget } from "./target.js";

const mutators = { text: mutateText, json: mutateJson, bytes: mutateBytes };

/** Weights, configs and adapters. */
export const targets: readonly FuzzTarget[] = [...files, ...states, ...models, ...adapters].map((reader) => ({
  name: reader.name,
  seeds: () => reader.seeds(),
  mutate: mutators[reader.kind],
  read: (input) => reader.read(input),
}));
