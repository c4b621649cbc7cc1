import { bytesSource, FormatError } from "@kto/core";
import {
  adapterTensors,
  ADAPTER_CONFIG_FILE,
  ADAPTER_METADATA,
  ADAPTER_WEIGHTS_FILE,
  formatAdapterConfig,
  type PeftModel,
} from "@kto/lora";
import type { Optimizer } from "@kto/optim";
import { encodeSafetensors, openSafetensors, toFloat32, type SafetensorsFile, type TensorToWrite } from "@kto/safetensors";
import type { Tensor } from "@kto/tensor";
import type { CheckpointStore } from "./checkpoint-store.js";
import { parseTrainerState, type RunProgress } from "./trainer-state.js";

const optimizerFile = "optimizer.safetensors";
const stateFile = "trainer_state.json";

/** The files of a checkpoint: adapter, optimizer, state. Equal runs give equal bytes. */
export async function encodeCheckpoint(model: PeftModel, optimizer: Optimizer, trainerState: string): Promise<Map<string, Uint8Array>> {
  return new Map([
    ...(await encodeAdapter(model)),
    [optimizerFile, await encodeOptimizer(optimizer)],
    [stateFile, new TextEncoder().encode(trainerState)],
  ]);
}

/** `adapter_model.safetensors` and `adapter_config.json` of the active adapter, as peft writes them. */
export async function encodeAdapter(model: PeftModel): Promise<Map<string, Uint8Array>> {
  const { config, targets } = model.activeAdapter;
  const tensors = adapterTensors(targets, await model.readAdapter());
  return new Map([
    [ADAPTER_WEIGHTS_FILE, await encodeSafetensors(tensors, { metadata: ADAPTER_METADATA })],
    [ADAPTER_CONFIG_FILE, new TextEncoder().encode(formatAdapterConfig(config))],
  ]);
}

/** Puts a checkpoint's adapter, optimizer state and progress back. Throws FormatError if a file is missing, does not fit, or is another optimizer's. */
export async function restoreCheckpoint(
  store: CheckpointStore,
  name: string,
  model: PeftModel,
  optimizer: Optimizer,
): Promise<RunProgress> {
  const state = parseTrainerState(new TextDecoder().decode(await readFile(store, name, stateFile)));
  if (!state)
    throw new FormatError(
      `resume: ${name}/${stateFile} is not one this trainer wrote; expected its progress under "kto"; resume from another checkpoint`,
      { source: name },
    );
  await restoreOptimizer(await readFile(store, name, optimizerFile), name, optimizer);
  const adapter = await openSafetensors(bytesSource(await readFile(store, name, ADAPTER_WEIGHTS_FILE)));
  for (const [parameter, tensor] of model.activeAdapter.bucket.parameters) {
    const onDisk = `base_model.model.${parameter}.weight`;
    await writeParameter(tensor, adapter, onDisk, name);
  }
  return state;
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

/** Puts the state of `optimizer.safetensors` back. Throws FormatError, and changes nothing, if it is another optimizer's or does not fit. */
export async function restoreOptimizer(bytes: Uint8Array, checkpoint: string, optimizer: Optimizer): Promise<void> {
  const file = await openSafetensors(bytesSource(bytes));
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
      {
        source: checkpoint,
      },
    );
  const state = new Map<string, Uint8Array>();
  for (const { key, dtype, shape } of optimizer.stateTensors()) {
    const found = await file.read(key);
    expectFit(key, checkpoint, `${dtype} [${shape.join(", ")}]`, `${found.dtype} [${found.shape.join(", ")}]`);
    state.set(key, found.data);
  }
  optimizer.writeState(state);
  optimizer.step = step;
}

async function writeParameter(tensor: Tensor, file: SafetensorsFile, name: string, checkpoint: string): Promise<void> {
  const { data, dtype, shape } = await file.read(name);
  expectFit(name, checkpoint, `[${tensor.shape.join(", ")}]`, `[${shape.join(", ")}]`);
  const { values } = toFloat32(data, dtype);
  tensor.device.writeBytes(tensor, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

function expectFit(tensor: string, checkpoint: string, expected: string, got: string): void {
  if (got === expected) return;
  throw new FormatError(
    `resume: ${checkpoint}: ${tensor} does not fit; expected ${expected}, got ${got}; resume with the settings of that run`,
    { source: checkpoint, tensor },
  );
}

async function readFile(store: CheckpointStore, name: string, file: string): Promise<Uint8Array> {
  const bytes = await store.read(name, file);
  if (!bytes)
    throw new FormatError(`resume: ${name} has no ${file}; expected a complete checkpoint; resume from another one`, { source: name });
  return bytes;
}
