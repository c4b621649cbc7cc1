import type { PageFacts, PageRun } from "../page-data.js";
import type { Metrics } from "../run/run.js";
import type { RunState, RunStatus } from "./live-run.js";

/** A run as a list has it. */
export interface ListedRun {
  name: string;
  state: RunState;
  /** False for a run of another process, which can only be looked at. */
  canControl: boolean;
}

/** What the page of live runs is told, one event after another. */
export type LiveEvent =
  /** The runs that there are. */
  | { type: "list"; runs: readonly ListedRun[] }
  /** All of a run: at the beginning, and where what was told before does not hold any more. */
  | { type: "run"; run: PageRun }
  /** Rows that came since. */
  | { type: "rows"; name: string; records: readonly Metrics[]; evaluations: readonly Metrics[] }
  | { type: "facts"; name: string; facts: PageFacts }
  | { type: "status"; name: string; status: RunStatus }
  /** Nothing is new, and the connection stands. */
  | { type: "alive" }
  /** Nothing more will come: the run of this process has come to its end. */
  | { type: "end" };
