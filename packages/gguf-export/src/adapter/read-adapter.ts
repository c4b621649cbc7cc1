import { excerpt, FormatError } from "@kto/core";
import type { TensorToWrite } from "@kto/safetensors";
import type { GgufFile } from "../container/gguf-file.js";
import { checkpointTensorName } from "../qwen2/tensor-names.js";
import { dequantize } from "../quantize.js";
import type { QuantizedType } from "../quantize.js";

/** A GGUF adapter as peft has it. */
export interface PeftAdapter {
  /** What adapter_config.json needs; the rest is peft's default. */
  readonly config: {
    readonly peft_type: "LORA";
    readonly task_type: "CAUSAL_LM";
    /** The largest rank; a layer of another one is in `rank_pattern`. */
    readonly r: number;
    readonly lora_alpha: number;
    readonly target_modules: readonly string[];
    readonly rank_pattern: Readonly<Record<string, number>>;
  };
  /** For `writeSafetensors`, F32, in the order of names, made when their turn comes. */
  readonly tensors: readonly (readonly [name: string, tensor: TensorToWrite])[];
}

/**
 * A LoRA adapter of a Qwen2 model in a GGUF file, back as one of peft: the same matrices to the bit where the file has them in F32.
 *
 * @param file  stays open while the tensors are written
 * @throws FormatError for a file that is no such adapter
 */
export function readGgufAdapter(file: GgufFile): PeftAdapter {
  const value = (key: string): unknown => file.metadata.get(key)?.value;
  const expected = { "general.type": "adapter", "adapter.type": "lora", "general.architecture": "qwen2" };
  for (const [key, wanted] of Object.entries(expected))
    if (value(key) !== wanted)
      throw fail(`this is no LoRA adapter of a Qwen2 model; expected ${key} "${wanted}", got ${excerpt(value(key) ?? null)}`);
  const alpha = value("adapter.lora.alpha");
  if (typeof alpha !== "number" || !(alpha > 0))
    throw fail(`adapter.lora.alpha is not usable; expected a number above 0, got ${excerpt(alpha ?? null)}`);
  const ranks = new Map<string, number>();
  const tensors = Array.from(file.tensors.values(), ({ name, shape, type }): [string, TensorToWrite] => {
    const [, base, half] = /^(.+\.weight)\.lora_([ab])$/.exec(name) ?? [];
    if (base === undefined || shape.length !== 2)
      throw fail(
        `tensor ${excerpt(name, 120)} is none of an adapter; expected two dimensions and a name that ends in .lora_a or .lora_b`,
        name,
      );
    const path = checkpointTensorName(base).replace(/\.weight$/, "");
    const r = half === "a" ? shape[0]! : shape[1]!;
    const before = ranks.get(path);
    const other = `${base}.lora_${half === "a" ? "b" : "a"}`;
    if (!file.tensors.has(other)) throw fail(`half of a layer is missing; expected ${excerpt(other, 120)} too, got none`, name);
    if (before !== undefined && before !== r)
      throw fail(`the matrices of ${path} are of two ranks; expected one, got ${before} and ${r}`, name);
    ranks.set(path, r);
    const data = async (): Promise<Float32Array> => dequantize(await file.read(name), type as QuantizedType);
    return [`base_model.model.${path}.lora_${half!.toUpperCase()}.weight`, { dtype: "F32", shape, data }];
  });
  if (ranks.size === 0) throw fail("there are no tensors; expected lora_a and lora_b of at least one layer, got none");
  const r = Math.max(...ranks.values());
  return {
    config: {
      peft_type: "LORA",
      task_type: "CAUSAL_LM",
      r,
      lora_alpha: alpha,
      target_modules: [...ranks.keys()].sort(),
      rank_pattern: Object.fromEntries([...ranks].filter(([, own]) => own !== r)),
    },
    tensors: tensors.sort(([a], [b]) => (a < b ? -1 : 1)),
  };
}

function fail(problem: string, tensor?: string): FormatError {
  return new FormatError(`readGgufAdapter: ${problem}`, { tensor });
}
