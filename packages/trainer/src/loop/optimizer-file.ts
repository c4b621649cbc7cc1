import { FormatError, type ByteSource } from "@kto/core";
import type { Optimizer } from "@kto/optim";
import { encodeSafetensors, openSafetensors, type TensorToWrite } from "@kto/safetensors";

/** The state of an optimizer as a file of this name in a checkpoint. */
export const optimizerFile = "optimizer.safetensors";

/** What `optimizer.safetensors` holds, checked against the optimizer it is for. */
export interface OptimizerState {
  step: number;
  tensors: ReadonlyMap<string, Uint8Array>;
}

/**
 * `optimizer.safetensors`: the state under the optimizer's keys, its kind and the steps taken in the metadata; the steps also as the scalar `step`,
 * the key of bitsandbytes, where AdamW's files have none.
 */
export async function encodeOptimizer(optimizer: Optimizer): Promise<Uint8Array> {
  const state = await optimizer.readState();
  const tensors = optimizer
    .stateTensors()
    .map(({ key, dtype, shape }): [string, TensorToWrite] => [key, { dtype, shape: [...shape], data: state.get(key)! }]);
  if (optimizer.kind !== "adamw") tensors.push(["step", { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(optimizer.step)) }]);
  return encodeSafetensors(tensors, { metadata: { format: "pt", optimizer: optimizer.kind, step: String(optimizer.step) } });
}

/** Reads what `encodeOptimizer` wrote. Throws FormatError if it is another optimizer's or does not fit; changes nothing. */
export async function readOptimizer(source: ByteSource, checkpoint: string, optimizer: Optimizer): Promise<OptimizerState> {
  const file = await openSafetensors(source);
  const kind = file.metadata.optimizer;
  if (kind !== optimizer.kind)
    throw new FormatError(
      `resume: ${checkpoint} holds the state of another optimizer; expected ${optimizer.kind}, got ${kind ?? "none"}; resume with the optim of that run`,
      { source: checkpoint },
    );
  const step = Number(file.metadata.step);
  if (!Number.isSafeInteger(step) || step < 0)
    throw new FormatError(
      `resume: ${checkpoint}: expected the steps taken in the metadata of ${optimizerFile}, got ${file.metadata.step}`,
      { source: checkpoint },
    );
  const tensors = new Map<string, Uint8Array>();
  for (const { key, dtype, shape } of optimizer.stateTensors()) {
    const found = await file.read(key);
    const [expected, got] = [`${dtype} [${shape.join(", ")}]`, `${found.dtype} [${found.shape.join(", ")}]`];
    if (got !== expected)
      throw new FormatError(
        `resume: ${checkpoint}: ${key} does not fit; expected ${expected}, got ${got}; resume with the settings of that run`,
        { source: checkpoint, tensor: key },
      );
    tensors.set(key, found.data);
  }
  return { step, tensors };
}

/** Puts a state that `readOptimizer` gave for an optimizer of this kind into it. */
export function restoreOptimizer({ step, tensors }: OptimizerState, optimizer: Optimizer): void {
  optimizer.writeState(tensors);
  optimizer.step = step;
}
