import {
  adapterTensors,
  ADAPTER_CONFIG_FILE,
  ADAPTER_METADATA,
  ADAPTER_WEIGHTS_FILE,
  formatAdapterConfig,
  type PeftModel,
} from "@kto/lora";
import type { AdamW } from "@kto/optim";
import {
  bytesSource,
  encodeSafetensors,
  openSafetensors,
  toFloat32,
  FormatError,
  type SafetensorsFile,
  type TensorToWrite,
} from "@kto/safetensors";
import type { ParameterBucket, Tensor } from "@kto/tensor";
import type { CheckpointStore } from "./checkpoint-store.js";
import { parseTrainerState, type RunProgress } from "./trainer-state.js";

const optimizerFile = "optimizer.safetensors";
const stateFile = "trainer_state.json";

/** The files of a checkpoint: adapter, moments, state. Equal runs give equal bytes. */
export async function encodeCheckpoint(model: PeftModel, optimizer: AdamW, trainerState: string): Promise<Map<string, Uint8Array>> {
  return new Map([
    ...(await encodeAdapter(model)),
    [optimizerFile, await encodeMoments(optimizer)],
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

/** Puts a checkpoint's adapter, moments and progress back. Throws FormatError if a file is missing or does not fit. */
export async function restoreCheckpoint(store: CheckpointStore, name: string, model: PeftModel, optimizer: AdamW): Promise<RunProgress> {
  const state = parseTrainerState(new TextDecoder().decode(await readFile(store, name, stateFile)));
  if (!state)
    throw new FormatError(
      `resume: ${name}/${stateFile} is not one this trainer wrote; expected its progress under "kto"; resume from another checkpoint`,
      { source: name },
    );
  const adapter = await openSafetensors(bytesSource(await readFile(store, name, ADAPTER_WEIGHTS_FILE)));
  for (const [parameter, tensor] of model.activeAdapter.bucket.parameters) {
    const onDisk = `base_model.model.${parameter}.weight`;
    await writeParameter(tensor, adapter, onDisk, name);
  }
  const moments = await openSafetensors(bytesSource(await readFile(store, name, optimizerFile)));
  for (const [buckets, prefix] of [
    [optimizer.m, "m."],
    [optimizer.v, "v."],
  ] as const) {
    for (const bucket of buckets)
      for (const [parameter, tensor] of bucket.parameters) await writeParameter(tensor, moments, prefix + parameter, name);
  }
  optimizer.step = Number(moments.metadata.step);
  return state;
}

async function encodeMoments(optimizer: AdamW): Promise<Uint8Array> {
  const tensors: [string, TensorToWrite][] = [];
  for (const [buckets, prefix] of [
    [optimizer.m, "m."],
    [optimizer.v, "v."],
  ] as const) {
    for (const bucket of buckets) tensors.push(...(await readBucket(bucket, prefix)));
  }
  return encodeSafetensors(tensors, { metadata: { format: "pt", optimizer: "adamw", step: String(optimizer.step) } });
}

async function readBucket(bucket: ParameterBucket, prefix: string): Promise<[string, TensorToWrite][]> {
  const flat = (await bucket.flat.read()) as Float32Array;
  return [...bucket.parameters].map(([name, { shape, size, byteOffset }]) => [
    prefix + name,
    { dtype: "F32", shape: [...shape], data: flat.slice(byteOffset / 4, byteOffset / 4 + size) },
  ]);
}

async function writeParameter(tensor: Tensor, file: SafetensorsFile, name: string, checkpoint: string): Promise<void> {
  const { data, dtype, shape } = await file.read(name);
  if (shape.length !== tensor.shape.length || shape.some((size, index) => size !== tensor.shape[index])) {
    throw new FormatError(
      `resume: ${checkpoint}: ${name} has another shape; expected [${tensor.shape.join(", ")}], got [${shape.join(", ")}]; resume with the settings of that run`,
      { source: checkpoint, tensor: name },
    );
  }
  const { values } = toFloat32(data, dtype);
  tensor.device.writeBytes(tensor, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}

async function readFile(store: CheckpointStore, name: string, file: string): Promise<Uint8Array> {
  const bytes = await store.read(name, file);
  if (!bytes)
    throw new FormatError(`resume: ${name} has no ${file}; expected a complete checkpoint; resume from another one`, { source: name });
  return bytes;
}
