import { DtypeError, FormatError } from "@kto/core";
import { isNf4Weight } from "@kto/nf4";
import { type TensorReader } from "@kto/safetensors";
import { ShapeError } from "@kto/tensor";
import type { WeightSpec } from "./weight-specs.js";

/**
 * Checks that a checkpoint has every weight in the shape that `config.json` asks for, and none that such a model has no place for, before any of it
 * is read. Four-bit ones are checked as they load.
 */
export function expectWeights(reader: TensorReader, specs: readonly WeightSpec[]): void {
  for (const spec of specs) expectWeight(reader, spec);
  expectNoOthers(reader, specs);
}

/**
 * A layer too many, or a norm or bias that the architecture does not have: left out, they would make another model of it. Buffers such as `inv_freq` may
 * be there, and what lies outside the decoder (the head of a tied model).
 */
function expectNoOthers(reader: TensorReader, specs: readonly WeightSpec[]): void {
  const known = new Set(specs.map(({ name }) => name));
  const decoder = specs[0]!.name.split(".", 1)[0]!; // all of it lies below the first name of its embedding's path
  const other = [...reader.tensors.keys()].find(
    (name) => name.startsWith(`${decoder}.`) && /\.(weight|bias)$/.test(name) && !known.has(name),
  );
  if (other === undefined) return;
  throw new FormatError(
    `load: ${other} has no place in the model of config.json; expected only what a model of its model_type and num_hidden_layers has, got one more; take the config.json that belongs to these weights`,
    { tensor: other },
  );
}

function expectWeight(reader: TensorReader, { name, shape, linear, isHead }: WeightSpec): void {
  const info = reader.tensors.get(name);
  if (!info) {
    const advice = isHead ? "; set tie_word_embeddings to true in config.json if the embedding is this model's head" : "";
    throw new FormatError(`load: ${name} is missing from the checkpoint; expected shape [${shape.join(", ")}]${advice}`, { tensor: name });
  }
  if (isNf4Weight(reader, name)) {
    if (linear !== undefined) return;
    throw new FormatError(
      `load: ${name} is in four bits; expected 16 or 32 bits, as only the linear layers of the decoder may be quantised`,
      {
        tensor: name,
      },
    );
  }
  if (/^(U8|I8)$/.test(info.dtype) && linear !== undefined) {
    throw new FormatError(
      `load: ${name} is quantised in a way this package does not read; expected ${name}.quant_state.bitsandbytes__nf4 beside it, or F32, F16 or BF16, got ${info.dtype} [${info.shape.join(", ")}]`,
      { tensor: name },
    );
  }
  if (info.shape.length !== shape.length || info.shape.some((size, index) => size !== shape[index])) {
    throw new ShapeError(`load: ${name} contradicts config.json; expected [${shape.join(", ")}], got [${info.shape.join(", ")}]`);
  }
  if (!/^(F64|F32|F16|BF16)$/.test(info.dtype)) {
    throw new DtypeError(
      `load: ${name} has a dtype that is no plain float; expected F32, F16 or BF16, got ${info.dtype}; take the model's 16-bit checkpoint`,
      { dtype: info.dtype },
    );
  }
}
