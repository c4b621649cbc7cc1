import { FormatError, isKtoError, readExactly, type ByteDirectory, type ByteSource, type Store } from "@kto/core";
import {
  ADAPTER_CONFIG_FILE,
  ADAPTER_WEIGHTS_FILE,
  AdapterFileError,
  parseAdapterConfig,
  readAdapterWeights,
  saveAdapter,
  type LoraAdapter,
  type LoraConfig,
  type PeftModel,
} from "@kto/lora";
import { optimizerKind, optimizerNames, type Optimizer, type OptimizerKind } from "@kto/optim";
import { openSafetensors } from "@kto/safetensors";
import { layoutDifferences } from "./differences.js";
import { CheckpointError } from "./checkpoint-error.js";
import { checkpointStep } from "./checkpoint-names.js";
import { sumFiles, sumProblem } from "./file-sums.js";
import { encodeOptimizer, optimizerFile, readOptimizer, restoreOptimizer } from "./optimizer-file.js";
import { expectSeal, parseTrainerState, sealTrainerState } from "./read-trainer-state.js";
import { stateFile, type RunSettings, type TrainerState } from "./trainer-state.js";

/** Files that are summed in the state of a checkpoint. */
const summedFiles = [ADAPTER_CONFIG_FILE, ADAPTER_WEIGHTS_FILE, optimizerFile];

/** Every file that it takes to go on from a checkpoint. */
export const checkpointFiles: readonly string[] = [stateFile, ...summedFiles];

/** A checkpoint that was read, every file of it checked, and fits the run. */
export interface Checkpoint {
  /** `checkpoint-<step>`. */
  readonly name: string;
  readonly state: TrainerState;
  /** The adapter's config in it. */
  readonly adapterConfig: LoraConfig;
  /** Puts its adapter and the state of its optimizer back. */
  restore(model: Pick<PeftModel, "writeAdapter">, optimizer: Optimizer): void;
}

/** The run that a checkpoint has to fit. */
export interface RunToResume {
  readonly adapter: Pick<LoraAdapter, "config" | "targets" | "embeddings">;
  readonly optimizer: Pick<Optimizer, "kind" | "stateTensors">;
}

/** Writes the files of a checkpoint: adapter, optimizer, and last the state with the sums of the others. Equal runs give equal bytes. */
export async function writeCheckpoint(folder: Store, model: PeftModel, optimizer: Optimizer, trainerState: string): Promise<void> {
  const { config, targets, embeddings } = model.activeAdapter;
  await saveAdapter(folder, { config, targets, embeddings, weights: await model.readAdapter() });
  await folder.write(optimizerFile, await encodeOptimizer(optimizer));
  await folder.write(stateFile, await sealTrainerState(trainerState, await sumFiles(folder, summedFiles)));
}

/**
 * Reads a checkpoint for a run; changes nothing.
 *
 * Throws CheckpointError if a file is missing, not what was written, or of another update than the rest; FormatError if the checkpoint is whole and
 * another run's: of another adapter or optimizer.
 */
export async function readCheckpoint(folder: ByteDirectory, name: string, { adapter, optimizer }: RunToResume): Promise<Checkpoint> {
  const read = async <T>(file: string, use: (source: ByteSource) => Promise<T>): Promise<T> => {
    let source: ByteSource | undefined;
    try {
      source = await folder.open(file);
      if (!source) throw new CheckpointError({ checkpoint: name, file, problem: "it is missing" });
      return await use({ name: file, byteLength: source.byteLength, slice: (start, end) => source!.slice(start, end) });
    } catch (cause) {
      if (cause instanceof CheckpointError || cause instanceof OtherRunError || !isKtoError(cause)) throw cause;
      throw new CheckpointError({ checkpoint: name, file, problem: cause.message }, { cause });
    } finally {
      await source?.dispose?.();
    }
  };
  const state = await read(stateFile, (source) => readState(source, checkpointStep(name)));
  for (const [file, sum] of Object.entries(state.files))
    await read(file, async (source) => {
      const problem = await sumProblem(source, sum);
      if (problem !== undefined) throw new CheckpointError({ checkpoint: name, file, problem });
    });
  const adapterConfig = await read(ADAPTER_CONFIG_FILE, async (source) => parseAdapterConfig(await textOf(source)));
  const weights = await read(ADAPTER_WEIGHTS_FILE, async (source) => {
    const file = await openSafetensors(source);
    const brought = new Map(Array.from(adapter.embeddings, ([path, { shape }]) => [path, shape])); // frozen, and there already
    return readAdapterWeights(file, adapter.targets, brought).catch((cause: unknown) => {
      const differs = layoutDifferences(adapterConfig, adapter.config);
      if (!(cause instanceof AdapterFileError) || differs.length === 0) throw cause;
      throw otherRun(name, `it is of another adapter: ${differs.join(", ")}`, cause);
    });
  });
  const optimizerState = await read(optimizerFile, async (source) => {
    const file = await openSafetensors(source);
    expectOptimizer(name, file.metadata["optimizer"], optimizer.kind, state.settings);
    return readOptimizer(file, optimizer, state.progress.globalStep);
  });
  return {
    name,
    state,
    adapterConfig,
    restore(toModel, toOptimizer) {
      toModel.writeAdapter(weights);
      restoreOptimizer(optimizerState, toOptimizer);
    },
  };
}

/** A checkpoint that is whole, of another run. */
class OtherRunError extends FormatError {}

function otherRun(checkpoint: string, problem: string, cause?: unknown): OtherRunError {
  return new OtherRunError(`resume: ${checkpoint} does not fit: ${problem}; resume with the settings of that run`, {
    source: checkpoint,
    cause,
  });
}

async function readState(source: ByteSource, step: number | undefined): Promise<TrainerState> {
  const text = await textOf(source);
  const state = parseTrainerState(text);
  await expectSeal(text, state);
  const { globalStep } = state.progress;
  if (step !== undefined && globalStep !== step)
    throw new FormatError(`${stateFile}: it is of another checkpoint; expected global_step ${step}, got ${globalStep}`, {
      source: stateFile,
    });
  return state;
}

async function textOf(source: ByteSource): Promise<string> {
  const bytes = await readExactly(source, 0, source.byteLength);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${source.name}: it is not UTF-8`, { source: source.name, cause });
  }
}

/** Throws OtherRunError for the state of another optimizer, where the run that wrote it was told to use that one. */
function expectOptimizer(checkpoint: string, kind: string | undefined, expected: OptimizerKind, settings: RunSettings | undefined): void {
  if (kind === expected) return;
  const told = settings?.args["optim"];
  const toldKind = optimizerNames.includes(told as string) ? optimizerKind(told as string) : undefined;
  if (kind === undefined || toldKind === expected) return; // then the file is damaged, as `readOptimizer` says
  throw otherRun(checkpoint, `it holds the state of another optimizer; expected ${expected}, got ${kind}`);
}
