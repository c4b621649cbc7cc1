import { excerpt, FormatError } from "@kto/core";
import type { TensorInfo } from "@kto/safetensors";
import { compareTensorNames } from "../container/tensor-order.js";
import { type Fields, fieldsOf } from "../json-fields.js";
import { ggufTensorName } from "../qwen2/tensor-names.js";

/** The two matrices of an adapted layer. */
export interface AdapterPair {
  /** Of the layer, in the base model. */
  readonly path: string;
  /** Of its weight, in a GGUF file of the base model. */
  readonly base: string;
  /** Names in the adapter's file. */
  readonly a: string;
  readonly b: string;
  readonly r: number;
}

/** What a GGUF adapter cannot say, by the names of its tensors. */
const unsayable: readonly (readonly [part: RegExp, what: string])[] = [
  [/lora_magnitude_vector/, "DoRA (use_dora)"],
  [/lora_B\.bias$/, "biases of lora_B (lora_bias)"],
  [/lora_embedding_/, "an adapter on the embedding"],
  [/trainable_tokens_/, "trained tokens (trainable_token_indices)"],
  [/\.bias$/, "biases of the base model (bias)"],
  [/modules_to_save|(embed_tokens|lm_head|norm)\.weight$/, "modules that were trained in full (modules_to_save)"],
];

/** Fields of adapter_config.json that change what an adapter computes, with the value at which they do not. */
const offFields: readonly (readonly [field: string, what: string, isOff: (value: unknown) => boolean])[] = [
  ["use_dora", "DoRA", isNothing],
  ["lora_bias", "biases of lora_B", isNothing],
  ["bias", "biases of the base model", (value) => isNothing(value) || value === "none"],
  ["modules_to_save", "modules that were trained in full", isNothing],
  ["trainable_token_indices", "trained tokens", isNothing],
  ["layer_replication", "layers that are there twice", isNothing],
  ["alora_invocation_tokens", "activation by tokens", isNothing],
  ["use_qalora", "QALoRA", isNothing],
  ["fan_in_fan_out", "transposed weights", isNothing],
  [
    "init_lora_weights",
    "a start that changes the base weights",
    (value) => isNothing(value) || ["true", "gaussian", "eva", "orthogonal"].includes(String(value)),
  ],
];

/**
 * The adapted layers of an adapter of peft, by the order of tensors in GGUF files.
 *
 * @param shapes  of the base model's tensors by GGUF name
 * @throws FormatError naming what a GGUF adapter cannot say (DoRA, biases, saved modules, …), halves that are missing, and shapes that are not the base model's
 */
export function adapterPairs(
  config: unknown,
  tensors: ReadonlyMap<string, Pick<TensorInfo, "shape" | "dtype">>,
  shapes: ReadonlyMap<string, readonly number[]>,
): AdapterPair[] {
  expectSayable(fieldsOf(config));
  const halves = new Map<string, Partial<Record<"A" | "B", string>>>();
  for (const name of tensors.keys()) {
    const [, path, matrix] = /^base_model\.model\.(.+)\.lora_([AB])\.weight$/.exec(name) ?? [];
    if (path === undefined) throw unsayableTensor(name);
    halves.set(path, { ...halves.get(path), [matrix as "A" | "B"]: name });
  }
  if (halves.size === 0) throw fail("the adapter has no layers; expected lora_A and lora_B of at least one, got no tensor");
  const pairs = Array.from(halves, ([path, { A: a, B: b }]): AdapterPair => {
    if (a === undefined || b === undefined)
      throw fail(
        `half of a layer is missing; expected lora_A and lora_B of ${excerpt(path, 120)}, got one; save the adapter again`,
        a ?? b,
      );
    const base = ggufTensorName(`${path}.weight`);
    const wanted = base === undefined ? undefined : shapes.get(base);
    if (base === undefined || wanted?.length !== 2)
      throw fail(
        `the base model has no such layer; expected one of its ${shapes.size} weights, got ${excerpt(path, 120)}; give the model that the adapter was trained on`,
        a,
      );
    return { path, base, a, b, r: expectShapes(tensors.get(a)!, tensors.get(b)!, wanted, { path, tensor: a }) };
  });
  return pairs.sort((left, right) => compareTensorNames(left.base, right.base));
}

/** The rank of a layer. Throws FormatError where its matrices do not fit to each other and to the base. */
function expectShapes(
  a: Pick<TensorInfo, "shape" | "dtype">,
  b: Pick<TensorInfo, "shape" | "dtype">,
  [out, into]: readonly number[],
  { path, tensor }: { path: string; tensor: string },
): number {
  const [r = 0] = a.shape;
  const fits = a.shape.length === 2 && b.shape.length === 2 && r > 0 && a.shape[1] === into && b.shape[0] === out && b.shape[1] === r;
  if (!fits)
    throw fail(
      `the adapter of ${excerpt(path, 120)} has another shape than the base model; expected lora_A [r, ${into}] and lora_B [${out}, r], got [${a.shape.join(", ")}] and [${b.shape.join(", ")}]; give the model that it was trained on`,
      tensor,
    );
  const other = [a, b].find(({ dtype }) => dtype !== "F32" && dtype !== "F16" && dtype !== "BF16");
  if (other)
    throw fail(`the adapter of ${excerpt(path, 120)} is stored in another type; expected F32, F16 or BF16, got ${other.dtype}`, tensor);
  return r;
}

function expectSayable(config: Fields): void {
  if (config["peft_type"] !== "LORA")
    throw fail(`this is no LoRA adapter; expected peft_type "LORA", got ${excerpt(config["peft_type"] ?? null)}`);
  for (const [field, what, isOff] of offFields) {
    if (isOff(config[field])) continue;
    throw fail(
      `a GGUF adapter cannot say ${what}; expected ${field} off, got ${excerpt(config[field])}; merge the adapter into the model instead`,
    );
  }
}

function unsayableTensor(name: string): FormatError {
  const what = unsayable.find(([part]) => part.test(name))?.[1] ?? "it";
  return fail(
    `tensor ${excerpt(name, 120)} is neither lora_A nor lora_B; a GGUF adapter cannot say ${what}; merge the adapter into the model instead`,
    name,
  );
}

function isNothing(value: unknown): boolean {
  return value === undefined || value === null || value === false || (Array.isArray(value) && value.length === 0);
}

function fail(problem: string, tensor?: string): FormatError {
  return new FormatError(`exportGgufAdapter: ${problem}`, { tensor });
}
