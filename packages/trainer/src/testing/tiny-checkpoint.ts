import { bytesSource, memoryStore, type ByteDirectory, type Store } from "@kto/core";
import { loraConfig, type LoraAdapter, type LoraTarget, type LoraWeights } from "@kto/lora";
import type { Optimizer, StateReader, StateTensor } from "@kto/optim";
import { adapterFiles } from "../loop/adapter-files.js";
import { writeCheckpoint, type RunToResume } from "../loop/checkpoint.js";
import { checkpointName } from "../loop/checkpoint-names.js";
import { planRun } from "../loop/run-plan.js";
import { formatTrainerState, freshProgress, type RunProgress } from "../loop/trainer-state.js";
import { trainingConfig } from "../loop/training-config.js";

const config = loraConfig({ r: 2, loraAlpha: 4, targetModules: ["q_proj"] });
const target: LoraTarget = { path: "model.layers.0.self_attn.q_proj", inFeatures: 3, outFeatures: 4, r: 2, scale: 2 };
const args = trainingConfig({ maxSteps: 8, loggingSteps: 2, perDeviceTrainBatchSize: 2 });

/** Moments of the two matrices, as AdamW keeps them. */
const stateTensors: readonly StateTensor[] = ["m", "v"].flatMap((moment) => [
  { key: `${moment}.${target.path}.lora_A`, dtype: "F32" as const, shape: [2, 3] },
  { key: `${moment}.${target.path}.lora_B`, dtype: "F32" as const, shape: [4, 2] },
]);

/** An adapter on one layer, without a device. */
export const tinyAdapter: Pick<LoraAdapter, "config" | "targets" | "embeddings"> = { config, targets: [target], embeddings: new Map() };

/** The files of an adapter of these weights, which stay as they are. */
export function filesOf(activeAdapter: typeof tinyAdapter, weights: Map<string, LoraWeights> = new Map()): ReturnType<typeof adapterFiles> {
  return adapterFiles({ activeAdapter, readAdapter: () => Promise.resolve(weights), writeAdapter: () => undefined });
}

/** A run of that adapter. */
export const tinyRun: RunToResume = {
  files: filesOf(tinyAdapter),
  optimizer: { kind: "adamw", stateTensors: () => [...stateTensors] },
};

/** What a run has done by a step. */
export function progressAt(step: number): RunProgress {
  const logs = Array.from({ length: Math.floor(step / 2) }, (_, index) => ({ loss: 0.5 - index / 64, kl: NaN, step: 2 * index + 2 }));
  const isOdd = step % 2 === 1;
  const window = { losses: isOdd ? [0.25] : [], metrics: isOdd ? [{ entropy: 2.5, kl: NaN }] : [], gradNorm: isOdd ? 0.125 : null };
  return {
    ...freshProgress(),
    globalStep: step,
    logHistory: logs,
    totalLoss: step / 2,
    totalFlos: step * 1e9,
    numTokens: 64 * step,
    window,
  };
}

/** Writes `checkpoint-<step>` of that run, as the trainer writes it. */
export async function writeTinyCheckpoint(store: Store, step: number): Promise<void> {
  const numbers = (size: number, from: number): Float32Array =>
    Float32Array.from({ length: size }, (_, i) => Math.fround((from + i) / (step + 7)));
  const weights = new Map<string, LoraWeights>([[target.path, { a: numbers(6, 1), b: numbers(8, 2) }]]);
  const bytesOf = ({ shape }: StateTensor, index: number): Uint8Array =>
    new Uint8Array(
      numbers(
        shape.reduce((a, b) => a * b, 1),
        index,
      ).buffer,
    );
  const bytes = new Map(stateTensors.map((one, index) => [one.key, bytesOf(one, index)]));
  const read: StateReader = async function* (key) {
    yield bytes.get(key)!;
  };
  const optimizer = { ...tinyRun.optimizer, step, stateReader: () => read } as unknown as Optimizer;
  const state = formatTrainerState(progressAt(step), args, planRun(8, args), { method: "kto" });
  await store.writeFolder(checkpointName(step), (folder) => writeCheckpoint(folder, filesOf(tinyAdapter, weights), optimizer, state));
}

/** The files of such a checkpoint by name. */
export async function tinyCheckpointFiles(step: number): Promise<Map<string, Uint8Array>> {
  const store = memoryStore();
  await writeTinyCheckpoint(store, step);
  const folder = store.folder(checkpointName(step));
  const files = new Map<string, Uint8Array>();
  for (const { name } of await folder.list()) {
    const source = (await folder.open(name))!;
    files.set(name, (await source.slice(0, source.byteLength)).slice());
  }
  return files;
}

/** Files in memory as a folder. */
export function folderOf(files: ReadonlyMap<string, Uint8Array>, name: string): ByteDirectory {
  return {
    name,
    open: async (file) => {
      const bytes = files.get(file);
      return bytes && bytesSource(bytes, `${name}/${file}`);
    },
  };
}

/** The text of a `trainer_state.json` without the sums, which would refuse every changed file before it is read. */
export function unsealed(text: string): string {
  const state = JSON.parse(text) as { kto: Record<string, unknown> };
  delete state.kto["files"];
  delete state.kto["sha256"];
  return JSON.stringify(state, null, 2);
}
