import { FormatError, type ByteDirectory, type ByteSource, type Store } from "@kto/core";
import { optimizerKind, optimizerNames, type Optimizer, type OptimizerKind } from "@kto/optim";
import { openSafetensors } from "@kto/safetensors";
import { CheckpointError } from "./checkpoint-error.js";
import { checkpointFolder, textOf } from "./checkpoint-folder.js";
import { checkpointStep } from "./checkpoint-names.js";
import { sumFiles, sumProblem } from "./file-sums.js";
import { optimizerFile, readOptimizer, restoreOptimizer, writeOptimizer } from "./optimizer-file.js";
import type { CheckpointFolder, PolicyFiles, ReadPolicy } from "./policy.js";
import { expectSeal, parseTrainerState, sealTrainerState } from "./read-trainer-state.js";
import { stateFile, type RunSettings, type TrainerState } from "./trainer-state.js";

/** A checkpoint that was read, every file of it checked, and fits the run. */
export interface Checkpoint {
  /** `checkpoint-<step>`. */
  readonly name: string;
  readonly state: TrainerState;
  /** What is trained, as the checkpoint has it. */
  readonly policy: ReadPolicy;
  /** Puts what was trained and the state of its optimizer back. */
  restore(optimizer: Optimizer): void;
}

/** The run that a checkpoint has to fit. */
export interface RunToResume {
  /** Those of what is trained. */
  readonly files: Pick<PolicyFiles, "read">;
  readonly optimizer: Pick<Optimizer, "kind" | "stateTensors">;
}

/** Writes the files of a checkpoint: what is trained, optimizer, and last the state with the sums of the others. Equal runs give equal bytes. */
export async function writeCheckpoint(
  folder: Store,
  files: Pick<PolicyFiles, "write">,
  optimizer: Optimizer,
  trainerState: string,
): Promise<void> {
  const written = await files.write(folder);
  await folder.write(optimizerFile, async (sink) => void (await writeOptimizer(sink, optimizer)));
  await folder.write(stateFile, await sealTrainerState(trainerState, await sumFiles(folder, [...written, optimizerFile])));
}

/**
 * Reads a checkpoint for a run; changes nothing.
 *
 * Throws CheckpointError if a file is missing, not what was written, or of another update than the rest; FormatError if the checkpoint is whole and
 * another run's: of another model, adapter or optimizer.
 */
export async function readCheckpoint(directory: ByteDirectory, name: string, { files, optimizer }: RunToResume): Promise<Checkpoint> {
  const folder = checkpointFolder(directory, name);
  const state = await folder.read(stateFile, (source) => readState(source, checkpointStep(name)));
  for (const [file, sum] of Object.entries(state.files))
    await folder.read(file, async (source) => {
      const problem = await sumProblem(source, sum);
      if (problem !== undefined) throw new CheckpointError({ checkpoint: name, file, problem });
    });
  const policy = await files.read(folder);
  const optimizerState = await folder.read(optimizerFile, async (source) => {
    const file = await openSafetensors(source);
    expectOptimizer(folder, file.metadata["optimizer"], optimizer.kind, state.settings);
    return readOptimizer(file, optimizer, state.progress.globalStep);
  });
  return {
    name,
    state,
    policy,
    restore(toOptimizer) {
      policy.restore();
      restoreOptimizer(optimizerState, toOptimizer);
    },
  };
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

/** Throws for the state of another optimizer, where the run that wrote it was told to use that one. */
function expectOptimizer(
  folder: CheckpointFolder,
  kind: string | undefined,
  expected: OptimizerKind,
  settings: RunSettings | undefined,
): void {
  if (kind === expected) return;
  const told = settings?.args["optim"];
  const toldKind = optimizerNames.includes(told as string) ? optimizerKind(told as string) : undefined;
  if (kind === undefined || toldKind === expected) return; // then the file is damaged, as `readOptimizer` says
  throw folder.otherRun(`it holds the state of another optimizer; expected ${expected}, got ${kind}`);
}
