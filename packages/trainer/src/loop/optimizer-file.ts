import { FormatError, type ByteSink } from "@kto/core";
import type { Optimizer } from "@kto/optim";
import { writeSafetensors, type SafetensorsFile, type TensorToWrite } from "@kto/safetensors";

/** The state of an optimizer as a file of this name in a checkpoint. */
export const optimizerFile = "optimizer.safetensors";

/** Key of the steps taken, where they are a tensor too. */
const stepKey = "step";

/** What `optimizer.safetensors` holds, checked against the optimizer it is for. */
export interface OptimizerState {
  step: number;
  tensors: ReadonlyMap<string, Uint8Array>;
}

/**
 * `optimizer.safetensors`: the state under the optimizer's keys, its kind and the steps taken in the metadata; the steps also as the scalar `step`,
 * the key of bitsandbytes, where AdamW's files have none. The state is read from the device as it is written, in pieces: the host never holds all of it. Gives the bytes written.
 */
export function writeOptimizer(sink: ByteSink, optimizer: Optimizer): Promise<number> {
  const read = optimizer.stateReader();
  const tensors = optimizer
    .stateTensors()
    .map(({ key, dtype, shape }): [string, TensorToWrite] => [key, { dtype, shape: [...shape], data: () => read(key) }]);
  if (optimizer.kind !== "adamw") tensors.push([stepKey, { dtype: "I64", shape: [], data: BigInt64Array.of(BigInt(optimizer.step)) }]);
  return writeSafetensors(sink, tensors, { metadata: { format: "pt", optimizer: optimizer.kind, step: String(optimizer.step) } });
}

/** Reads what `writeOptimizer` wrote after `step` updates. Throws FormatError if it is of another optimizer or update, or does not fit. */
export async function readOptimizer(
  file: SafetensorsFile,
  optimizer: Pick<Optimizer, "kind" | "stateTensors">,
  step: number,
): Promise<OptimizerState> {
  const fail = (problem: string, tensor?: string): never => {
    throw new FormatError(`${optimizerFile}: ${problem}`, { source: optimizerFile, ...(tensor !== undefined && { tensor }) });
  };
  const { kind } = optimizer;
  if (file.metadata["optimizer"] !== kind) fail(`it is another optimizer's; expected ${kind}, got ${file.metadata["optimizer"] ?? "none"}`);
  if (file.metadata["step"] !== String(step))
    fail(`it is of another update; expected step ${step}, got ${file.metadata["step"] ?? "none"}`);
  const tensors = new Map<string, Uint8Array>();
  for (const { key, dtype, shape } of optimizer.stateTensors()) {
    const found = file.tensors.get(key);
    const [want, got] = [kindOf({ dtype, shape }), found && kindOf(found)];
    if (got !== want) fail(`${key} does not fit; expected ${want}, got ${got ?? "none"}`, key);
    tensors.set(key, (await file.read(key)).data);
  }
  const extra = [...file.tensors.keys()].find((key) => !tensors.has(key) && key !== stepKey);
  if (extra !== undefined) fail(`${extra} is no tensor of this run`, extra);
  return { step, tensors };
}

function kindOf({ dtype, shape }: { dtype: string; shape: readonly number[] }): string {
  return `${dtype} [${shape.join(", ")}]`;
}

/** Puts a state that `readOptimizer` gave for an optimizer of this kind into it. */
export function restoreOptimizer({ step, tensors }: OptimizerState, optimizer: Optimizer): void {
  optimizer.writeState(tensors);
  optimizer.step = step;
}
