import { ArgumentError, FormatError } from "@kto/core";
import { isNf4Weight } from "@kto/nf4";
import type { TensorReader } from "@kto/safetensors";
import type { WeightSpec } from "./weight-specs.js";

/** Throws ArgumentError for options under which not every weight can be trained: masters are f32, and a weight in four bits has no gradient. */
export function expectTrainable({ dtype, quantization }: { dtype: string; quantization: object | undefined }): void {
  const refuse = (option: string, got: string, advice: string): never => {
    throw new ArgumentError({
      operation: "fromPretrained",
      problem: `every weight is to be trained, and ${option} does not go with that`,
      expected: "weights in f32",
      got,
      advice,
    });
  };
  if (dtype !== "auto" && dtype !== "f32") refuse("dtype", dtype, 'leave dtype out, or pass "f32"');
  if (quantization)
    refuse(
      "four bits",
      "weights quantised on loading",
      "leave it out to train every weight, or leave trainable out and train an adapter on it",
    );
}

/** Throws FormatError for a checkpoint with weights in four bits, before any is read. */
export function expectTrainableFiles(reader: TensorReader, specs: readonly WeightSpec[], source: string): void {
  const quantized = specs.find(({ name }) => isNf4Weight(reader, name));
  if (!quantized) return;
  throw new FormatError(
    `fromPretrained: ${source} holds weights in four bits, whose steps are larger than what an update changes; expected F32, F16 or BF16 to train every weight, got ${quantized.name} in four bits; take the model's 16-bit checkpoint, or train an adapter`,
    { source, tensor: quantized.name },
  );
}
