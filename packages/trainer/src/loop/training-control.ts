import { isKtoError } from "@kto/core";
import { TrainerUsageError } from "./errors.js";
import type { TrainerEvent } from "./events.js";

/** A run between two updates, as its control sees it. */
export interface ControlledRun {
  /** Updates that are done. */
  step: number;
  /** False after the last update, when there is nothing to hold up. */
  mayPause: boolean;
  /** Writes a checkpoint and gives its path; undefined before there is anything to write. Throws TrainerUsageError where there is no place for one. */
  save: (() => Promise<string>) | undefined;
  signal: AbortSignal | undefined;
  /** That of this rank, where there are several: `signal` is aborted when they hear of it. */
  ownSignal: AbortSignal | undefined;
  /** Of some claims, whether any rank of the run makes them; what this one claims where there is no other. May abort `signal`. */
  any(claims: readonly [asksForCheckpoint: boolean, isHeldUp: boolean]): Promise<readonly [asksForCheckpoint: boolean, isHeldUp: boolean]>;
  emit(event: TrainerEvent): void;
}

/** A checkpoint that somebody waits for. */
interface AskedSave {
  resolve(path: string): void;
  reject(error: unknown): void;
}

/**
 * Holds a run up, lets it go on and has it write checkpoints from outside, a page or a key: `train({ control })`. All of it acts between two updates and changes
 * none of their numbers. A control is of one run; what ends a run is the `signal`, also while it is held up. Of several ranks any may have one: all of them are held
 * up and write together.
 */
export class TrainingControl {
  #isPaused = false;
  #hasEnded = false;
  #pausedMs = 0;
  #wake: () => void = () => {};
  readonly #saves: AskedSave[] = [];

  /** Whether the run is to be held up: it is from the event `pause` on, when the update in flight and what follows on it are done. */
  get isPaused(): boolean {
    return this.#isPaused;
  }

  /** Milliseconds that the run was held up before it was let go on, each time; they are in none of its times and speeds. */
  get pausedMs(): number {
    return this.#pausedMs;
  }

  /** Holds the run up before its next update. */
  pause(): void {
    this.#isPaused = true;
  }

  /** Lets it go on. */
  resume(): void {
    this.#isPaused = false;
    this.#wake();
  }

  /**
   * Asks for a checkpoint after the update in flight, also while the run is held up; resolves to its path. A run goes on from it to the bit.
   * Rejects with WriteError where it cannot be written, which leaves the run as it is; with TrainerUsageError if there is no place for it, or the run ends before.
   */
  save(): Promise<string> {
    return new Promise((resolve, reject) => {
      if (this.#hasEnded) reject(noMoreUpdates());
      else this.#saves.push({ resolve, reject });
      this.#wake();
    });
  }

  /** For the loop: does what was asked for, here or on another rank, and gives the milliseconds that took. */
  async attend(run: ControlledRun): Promise<number> {
    const { step, mayPause, save, signal, ownSignal, any, emit } = run;
    const isAsked = (): boolean => save !== undefined && this.#saves.length > 0;
    const started = performance.now();
    let heldSince: number | undefined;
    for (;;) {
      const [asksForCheckpoint, isHeldUp] = await any([isAsked(), mayPause && this.#isPaused]);
      if (asksForCheckpoint) await answer(this.#saves.shift(), save!);
      else if (!isHeldUp || signal?.aborted) break;
      else if (heldSince === undefined) {
        heldSince = performance.now();
        emit({ type: "pause", step }); // whoever hears of it may ask for something at once
      } else if (this.#isPaused && !isAsked() && !ownSignal?.aborted) await this.#change(ownSignal); // the others wait at the next question
    }
    const now = performance.now();
    if (heldSince !== undefined) {
      this.#pausedMs += now - heldSince;
      if (!signal?.aborted) emit({ type: "resume", step, pausedMs: now - heldSince });
    }
    return now - started;
  }

  /** For the loop: nobody waits for this run any more. */
  end(): void {
    this.#hasEnded = true;
    for (const { reject } of this.#saves.splice(0)) reject(noMoreUpdates());
  }

  /** Resolves when something else is asked for, or the run is to end. */
  async #change(signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      signal?.addEventListener("abort", this.#wake, { once: true });
    });
    signal?.removeEventListener("abort", this.#wake);
    this.#wake = () => {};
  }
}

/** Writes the checkpoint that was asked for, here or on another rank; that it cannot be written is for who asked, everything else for the run too. */
async function answer(asked: AskedSave | undefined, save: () => Promise<string>): Promise<void> {
  try {
    const path = await save();
    asked?.resolve(path);
  } catch (error) {
    asked?.reject(error);
    if (!isKtoError(error) || (error.code !== "WRITE" && error.code !== "TRAINER_USAGE")) throw error;
  }
}

function noMoreUpdates(): TrainerUsageError {
  return new TrainerUsageError(
    "save: the run has ended; expected one that goes on, got none; its checkpoints are in output, and saveModel writes what it came to",
  );
}
