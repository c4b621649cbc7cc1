import type { RunFolder } from "../run/run-folder.js";
import type { Metrics } from "../run/run.js";

/** What a run is doing. `interrupted`: it has no result, and its process is gone. */
export type RunState =
  | "preparing"
  | "training"
  | "pausing"
  | "paused"
  | "saving"
  | "stopping"
  | "finished"
  | "stopped"
  | "failed"
  | "interrupted";

/** States that a run does not come out of. */
export const lastStates: ReadonlySet<RunState> = new Set(["finished", "stopped", "failed", "interrupted"]);

/** How a run is getting on. */
export interface RunStatus {
  state: RunState;
  /** What more there is to say: why it failed, where its checkpoint lies, which process it is. */
  message?: string | undefined;
  /** Updates that are done, of how many, and the seconds that the others take at this pace; by default told from what was logged. */
  step?: number | undefined;
  totalUpdates?: number | undefined;
  secondsLeft?: number | undefined;
}

/** What may be done to a run of this process from its page. */
export interface RunControl {
  pause(): void;
  resume(): void;
  /** Resolves when the checkpoint is written; what it rejects with is told on the page. */
  save(): Promise<unknown>;
  /** Ends it as Ctrl-C does. */
  stop(): void;
}

/** Actions of {@link RunControl}. */
export const runActions = ["pause", "resume", "save", "stop"] as const;
export type RunAction = (typeof runActions)[number];

/** A run that is shown while it goes on. */
export interface LiveRun {
  /** Its name among the others. */
  name: string;
  /** Where its files are; undefined as long as there are none. */
  folder: RunFolder | undefined;
  status(): RunStatus | Promise<RunStatus>;
  /** The evaluations so far, where they are known before a checkpoint has them. */
  evaluations?: (() => readonly Metrics[]) | undefined;
  /** Of a run of this process; others can only be looked at. */
  control?: RunControl | undefined;
}
