import { gpuKinds, type GpuKind } from "./gpu-kinds.js";
import { modelShapes, type ModelJson } from "./model-shapes.js";
import type { RunToPlan } from "./plan-run.js";

/** What the form holds. */
export interface MemoryForm {
  /** One of `modelShapes`, or `own`. */
  model: string;
  /** The text of a config.json, for `own`. */
  configText: string;
  method: RunToPlan["method"];
  weights: RunToPlan["weights"];
  loraRank: number | "";
  loraTargets: keyof typeof loraTargets;
  batchSize: number | "";
  tokens: number | "";
  optim: RunToPlan["optim"];
  gradientCheckpointing: "true" | "auto" | "false";
  /** GiB, or nothing. */
  budget: number | "";
  gpu: GpuKind;
}

/** The name of a config of one's own among the models. */
export const ownConfig = "own";

/** Layers that are adapted, by what the choice says. */
export const loraTargets = {
  "every linear layer": "all-linear",
  "q_proj and v_proj (peft's default)": ["q_proj", "v_proj"],
  "attention: q, k, v, o": ["q_proj", "k_proj", "v_proj", "o_proj"],
} as const satisfies Record<string, RunToPlan["loraTargets"]>;

/** What the page opens with. */
export const firstForm: MemoryForm = {
  model: "DeepSeek-R1-Distill-Qwen 1.5B",
  configText: "",
  method: "kto",
  weights: "4-bit",
  loraRank: 16,
  loraTargets: "every linear layer",
  batchSize: 4,
  tokens: 1024,
  optim: "adamw_torch",
  gradientCheckpointing: "true",
  budget: "",
  gpu: "matrix",
};

/** The run that a form asks for, or what is missing in it. */
export function runOf(form: MemoryForm): { run: RunToPlan } | { problem: string } {
  const config = form.model === ownConfig ? configOf(form.configText) : { json: modelShapes[form.model]! };
  if ("problem" in config) return config;
  const { loraRank, batchSize, tokens, budget } = form;
  const numbers = { "the rank": form.weights === "trained" ? 1 : loraRank, "the batch": batchSize, "the length": tokens };
  for (const [name, value] of Object.entries(numbers))
    if (value === "" || !Number.isInteger(value) || value < 1) return { problem: `${name} is not a whole number above 0` };
  if (budget !== "" && !(budget > 0)) return { problem: "the limit is not a number of GiB above 0" };
  return {
    run: {
      config: config.json,
      capabilities: gpuKinds[form.gpu].capabilities,
      method: form.method,
      weights: form.weights,
      loraRank: loraRank === "" ? 1 : loraRank,
      loraTargets: loraTargets[form.loraTargets],
      batchSize: batchSize as number,
      tokens: tokens as number,
      optim: form.optim,
      gradientCheckpointing: form.gradientCheckpointing === "auto" ? "auto" : form.gradientCheckpointing === "true",
      budgetBytes: budget === "" ? undefined : budget * 2 ** 30,
    },
  };
}

function configOf(text: string): { json: ModelJson } | { problem: string } {
  if (text.trim() === "") return { problem: "paste the model's config.json, or choose the file" };
  try {
    const json = JSON.parse(text) as unknown;
    if (typeof json === "object" && json !== null && !Array.isArray(json)) return { json: json as ModelJson };
    return { problem: "config.json is not an object" };
  } catch (error) {
    return { problem: `config.json is not JSON: ${(error as Error).message}` };
  }
}
