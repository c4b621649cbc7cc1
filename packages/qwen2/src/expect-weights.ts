import { isNf4Weight } from "@kto/nf4";
import { DtypeError, FormatError, type TensorReader } from "@kto/safetensors";
import { ShapeError } from "@kto/tensor";
import type { WeightSpec } from "./weight-specs.js";

/** Checks that a checkpoint has every weight in the shape that `config.json` asks for, before any of it is read. Four-bit ones are checked as they load. */
export function expectWeights(reader: TensorReader, specs: readonly WeightSpec[]): void {
  for (const spec of specs) expectWeight(reader, spec);
}

function expectWeight(reader: TensorReader, { name, shape, linear }: WeightSpec): void {
  const info = reader.tensors.get(name);
  if (!info) {
    throw new FormatError(`load: ${name} is missing from the checkpoint; expected shape [${shape.join(", ")}]`, { tensor: name });
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
  if (!/^(F64|F32|F16|BF16|F8_E4M3|F8_E5M2)$/.test(info.dtype)) {
    throw new DtypeError(`load: ${name} has a dtype that is no plain float; expected F32, F16 or BF16, got ${info.dtype}`, {
      dtype: info.dtype,
    });
  }
}
