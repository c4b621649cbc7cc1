import type { ParameterBucket } from "@kto/tensor";
import { AdamW, type AdamWOptions } from "./adamw.js";
import { AdamW8bit } from "./adamw-8bit.js";
import { OptimizerError } from "./errors.js";
import type { Optimizer, OptimizerKind } from "./optimizer.js";

/** What each name of transformers' `optim` is here. */
const kinds: Readonly<Record<string, OptimizerKind>> = {
  adamw: "adamw",
  adamw_torch: "adamw",
  adamw_torch_fused: "adamw",
  adamw_8bit: "adamw_8bit",
  adamw_bnb_8bit: "adamw_8bit",
  paged_adamw_8bit: "adamw_8bit",
};

/** Names that `createOptimizer` takes. */
export const optimizerNames: readonly string[] = Object.keys(kinds);

/** The optimizer that a name of transformers' `optim` stands for. Throws OptimizerError, with the list of names, for any other. */
export function optimizerKind(name: string): OptimizerKind {
  if (Object.hasOwn(kinds, name)) return kinds[name]!;
  throw new OptimizerError(
    `optim: this optimizer is not offered; expected one of ${optimizerNames.join(", ")}, got "${name}"; adamw_8bit needs least memory, adamw is torch's`,
    { given: name, names: optimizerNames },
  );
}

/** What a user should know about a name: that it runs as another optimizer. Undefined if there is nothing to say. Throws OptimizerError. */
export function optimizerNote(name: string): string | undefined {
  const kind = optimizerKind(name);
  if (!name.startsWith("paged_")) return undefined;
  return `${name} runs as ${kind}: WebGPU has no memory that is paged to the host; the numbers are the same`;
}

/** Makes the optimizer of that name, with its state on the device. Throws OptimizerError for a name that is not in `optimizerNames`. */
export function createOptimizer(name: string, parameters: readonly ParameterBucket[], options: AdamWOptions = {}): Optimizer {
  return optimizerKind(name) === "adamw" ? new AdamW(parameters, options) : new AdamW8bit(parameters, options);
}
