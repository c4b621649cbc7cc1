import type { MemoryPlan } from "../memory/memory-plan.js";
import type { DamagedFile } from "./checkpoint-error.js";
import type { Checkpoint } from "./checkpoint.js";
import type { SettingDifference } from "./differences.js";
import type { PlaceInData, RunPlan } from "./run-plan.js";
import type { RunOptions } from "./trainer-options.js";
import type { TrainingRun } from "./training-run.js";

/** What is known of a run before it starts. */
export interface RunFacts {
  /** Rows, micro-batches, updates and epochs. */
  counts: RunPlan;
  /** Updates of warm-up, from the start of the whole run. */
  numWarmupUpdates: number;
  memory: MemoryPlan;
  /** The checkpoint that the run goes on from. */
  checkpoint: Checkpoint | undefined;
  /** Newer checkpoints that the run does not go on from, newest first: what is wrong with each. */
  damaged: readonly DamagedFile[];
  /** What differs from the run that wrote the checkpoint. */
  differences: readonly SettingDifference[];
  /**
   * Where in the data that run had come, and where this one goes on, where updates have other rows than before and that is another place: rows between the two are
   * trained on twice or left out.
   */
  placeChange: { before: PlaceInData; now: PlaceInData } | undefined;
  /** True if the checkpoint is the end of the run, the last update or an early stop, so that there is nothing left to train. */
  isFinished: boolean;
}

/** How a trainer goes through a run that it has planned. */
export interface WayOfRun {
  expectSameOnRanks(run: PlannedRun): Promise<void>;
  train(run: PlannedRun, options: RunOptions): TrainingRun;
}

/**
 * A run as it is going to be: nothing was recorded, written or changed for it. Where a setting is another than in the run that wrote the checkpoint
 * (`differences`), the run goes on as transformers does: update `startStep` + 1 takes the place in the data and the learning rate that an update of this
 * number has under the new settings.
 */
export class PlannedRun implements RunFacts {
  readonly counts: RunPlan;
  readonly numWarmupUpdates: number;
  readonly memory: MemoryPlan;
  readonly checkpoint: Checkpoint | undefined;
  readonly damaged: readonly DamagedFile[];
  readonly differences: readonly SettingDifference[];
  readonly placeChange: RunFacts["placeChange"];
  readonly isFinished: boolean;
  readonly #way: WayOfRun;
  #agreed: Promise<void> | undefined;

  constructor(facts: RunFacts, way: WayOfRun) {
    this.counts = facts.counts;
    this.numWarmupUpdates = facts.numWarmupUpdates;
    this.memory = facts.memory;
    this.checkpoint = facts.checkpoint;
    this.damaged = facts.damaged;
    this.differences = facts.differences;
    this.placeChange = facts.placeChange;
    this.isFinished = facts.isFinished;
    this.#way = way;
  }

  /** Name of the checkpoint that the run goes on from. */
  get resumedFrom(): string | undefined {
    return this.checkpoint?.name;
  }

  /** Updates that are done already. */
  get startStep(): number {
    return this.checkpoint?.state.progress.globalStep ?? 0;
  }

  /**
   * Compares the run with those of the other ranks, all of which ask: resolves where all were started with the same, and else throws RanksError, on every rank. Training
   * begins with it, if it was not done.
   */
  expectSameOnRanks(): Promise<void> {
    return (this.#agreed ??= this.#way.expectSameOnRanks(this));
  }

  /** Trains; see `Trainer.train`. */
  train(options: RunOptions = {}): TrainingRun {
    return this.#way.train(this, options);
  }
}
