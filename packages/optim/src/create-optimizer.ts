import type { ParameterBucket } from "@kto/tensor";
import { AdamW, type AdamWOptions } from "./adamw.js";
import { AdamW8bit } from "./adamw-8bit.js";
import { OptimizerError } from "./errors.js";
import type { Optimizer, OptimizerKind } from "./optimizer.js";

/** What a name of transformers' `optim` is here, and what a user should know of it. */
interface NamedOptimizer {
  kind: OptimizerKind;
  note?: string;
}

const unpaged = "WebGPU has no memory that is paged to the host; the numbers are the same";
const otherKernel = "it is the same arithmetic in another kernel";

const named: Readonly<Record<string, NamedOptimizer>> = {
  adamw: { kind: "adamw" },
  adamw_torch: { kind: "adamw" },
  adamw_torch_fused: { kind: "adamw" },
  adamw_torch_xla: { kind: "adamw", note: otherKernel },
  adamw_torch_npu_fused: { kind: "adamw", note: otherKernel },
  adamw_apex_fused: { kind: "adamw", note: otherKernel },
  adamw_anyprecision: { kind: "adamw", note: "with moments in float32, its default, it is the same arithmetic" },
  adamw_hf: { kind: "adamw", note: "transformers 5 has no AdamW of its own any more" },
  adamw_8bit: { kind: "adamw_8bit" },
  adamw_bnb_8bit: { kind: "adamw_8bit" },
  adamw_bnb: { kind: "adamw_8bit" },
  paged_adamw_8bit: { kind: "adamw_8bit", note: unpaged },
  adamw_torch_8bit: { kind: "adamw_8bit", note: "the moments are coded as bitsandbytes does, not as torchao" },
  adamw_32bit: { kind: "adamw_32bit" },
  paged_adamw_32bit: { kind: "adamw_32bit", note: unpaged },
  paged_adamw: { kind: "adamw_32bit", note: unpaged },
};

/** Names that `createOptimizer` takes. */
export const optimizerNames: readonly string[] = Object.keys(named);

/** The optimizer that a name of transformers' `optim` stands for. Throws OptimizerError, with the list of names, for any other. */
export function optimizerKind(name: string): OptimizerKind {
  return optimizerNamed(name).kind;
}

/** What a user should know about a name: that it runs as another optimizer. Undefined if there is nothing to say. Throws OptimizerError. */
export function optimizerNote(name: string): string | undefined {
  const { kind, note } = optimizerNamed(name);
  return note === undefined ? undefined : `${name} runs as ${kind}: ${note}`;
}

/** Makes the optimizer of that name, with its state on the device. Throws OptimizerError for a name that is not in `optimizerNames`. */
export function createOptimizer(name: string, parameters: readonly ParameterBucket[], options: AdamWOptions = {}): Optimizer {
  const kind = optimizerKind(name);
  if (kind === "adamw") return new AdamW(parameters, options);
  return new AdamW8bit(parameters, kind === "adamw_32bit" ? { ...options, min8bitSize: Infinity } : options);
}

function optimizerNamed(name: string): NamedOptimizer {
  if (Object.hasOwn(named, name)) return named[name]!;
  throw new OptimizerError(
    `optim: this optimizer is not offered; expected one of ${optimizerNames.join(", ")}, got "${name}"; adamw_8bit needs least memory, adamw is torch's`,
    { given: name, names: optimizerNames },
  );
}
