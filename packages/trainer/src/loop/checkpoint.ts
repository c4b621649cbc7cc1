import { FormatError, type ByteDirectory, type ByteSource, type Store } from "@kto/core";
import { ADAPTER_WEIGHTS_FILE, AdapterFileError, readAdapterWeights, saveAdapter, type LoraWeights, type PeftModel } from "@kto/lora";
import type { Optimizer } from "@kto/optim";
import { openSafetensors } from "@kto/safetensors";
import { encodeOptimizer, optimizerFile, readOptimizer, restoreOptimizer } from "./optimizer-file.js";
import { parseTrainerState, stateFile, type TrainerState } from "./trainer-state.js";

/** A checkpoint that was read and fits the run. */
export interface Checkpoint {
  /** `checkpoint-<step>`. */
  readonly name: string;
  readonly state: TrainerState;
  /** Puts its adapter and the state of its optimizer back. */
  restore(model: PeftModel, optimizer: Optimizer): void;
}

/** Writes the files of a checkpoint: adapter, optimizer, state. Equal runs give equal bytes. */
export async function writeCheckpoint(folder: Store, model: PeftModel, optimizer: Optimizer, trainerState: string): Promise<void> {
  const { config, targets } = model.activeAdapter;
  await saveAdapter(folder, { config, targets, weights: await model.readAdapter() });
  await folder.write(optimizerFile, await encodeOptimizer(optimizer));
  await folder.write(stateFile, trainerState);
}

/** Reads a checkpoint for a run. Throws FormatError if a file is missing, does not fit, or is another optimizer's; changes nothing. */
export async function readCheckpoint(folder: ByteDirectory, name: string, model: PeftModel, optimizer: Optimizer): Promise<Checkpoint> {
  const read = async <T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> => {
    const source = await folder.open(file);
    if (!source)
      throw new FormatError(`resume: ${name} has no ${file}; expected a complete checkpoint; resume from another one`, { source: name });
    try {
      return await use(source);
    } finally {
      await source.dispose?.();
    }
  };
  const state = await read(stateFile, async (source) =>
    parseTrainerState(new TextDecoder().decode(await source.slice(0, source.byteLength))),
  );
  if (!state)
    throw new FormatError(
      `resume: ${name}/${stateFile} is not one this trainer wrote; expected its progress under "kto"; resume from another checkpoint`,
      { source: name },
    );
  const optimizerState = await read(optimizerFile, (source) => readOptimizer(source, name, optimizer));
  const weights = await read(ADAPTER_WEIGHTS_FILE, (source) => readWeights(source, name, model));
  return {
    name,
    state,
    restore(toModel, toOptimizer) {
      toModel.writeAdapter(weights);
      restoreOptimizer(optimizerState, toOptimizer);
    },
  };
}

async function readWeights(source: ByteSource, name: string, model: PeftModel): Promise<ReadonlyMap<string, LoraWeights>> {
  const file = await openSafetensors(source);
  try {
    return await readAdapterWeights(file, model.activeAdapter.targets);
  } catch (cause) {
    if (!(cause instanceof AdapterFileError)) throw cause;
    throw new FormatError(`resume: ${name} does not fit: ${cause.message}; resume with the settings of that run`, { source: name, cause });
  }
}
