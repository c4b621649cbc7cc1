import type { LogRecord } from "@kto/trainer";
import type { Answers } from "./answers.js";
import type { DataFacts, Failure, LiveEvent, LivePhase, SavedFile } from "./messages.js";
import type { SavedRun } from "./saved-run.js";

/** What the page shows. */
export interface LiveState {
  /** What is going on; `idle` before and between runs. */
  phase: LivePhase | "idle" | "pausing" | "stopping";
  /** How the last run ended; undefined before one did. */
  end: "finished" | "stopped" | "failed" | undefined;
  failure: Failure | undefined;
  /** Update of the newest checkpoint of a run that can be gone on with; undefined where there is none, 0 for one that has to begin again. */
  resumable: number | undefined;
  /** True where another tab trained when this page was opened. */
  isElsewhere: boolean;
  isKept: boolean;
  device: string | undefined;
  data: DataFacts | undefined;
  step: number;
  totalUpdates: number;
  records: LogRecord[];
  before: Answers | undefined;
  after: Answers | undefined;
  files: readonly SavedFile[];
}

export function freshState(): LiveState {
  return {
    phase: "idle",
    end: undefined,
    failure: undefined,
    resumable: undefined,
    isElsewhere: false,
    isKept: true,
    device: undefined,
    data: undefined,
    step: 0,
    totalUpdates: 0,
    records: [],
    before: undefined,
    after: undefined,
    files: [],
  };
}

/** The page of a run that a reload found. */
export function foundState({ facts, records, step, after }: SavedRun, files: readonly SavedFile[]): LiveState {
  const { updates } = facts.settings;
  const isFinished = after !== undefined;
  return {
    ...freshState(),
    end: isFinished ? "finished" : undefined,
    resumable: isFinished ? undefined : step,
    step: isFinished ? updates : step,
    totalUpdates: updates,
    records: [...records],
    before: facts.before,
    after,
    files,
  };
}

/** The page of a run that was just asked for. */
export function begunState(state: LiveState, { resumes }: { resumes: boolean }): LiveState {
  const begun = { ...freshState(), phase: "loading" as const, isKept: state.isKept, device: state.device };
  if (!resumes) return begun;
  const { before, records, resumable = 0, totalUpdates } = state;
  const kept = records.filter(({ step }) => typeof step === "number" && step <= resumable);
  return { ...begun, before, records: kept, step: resumable, totalUpdates, resumable };
}

/** The page after something was told. Answers to questions are none of its business. */
export function nextState(state: LiveState, event: LiveEvent): LiveState {
  switch (event.type) {
    case "phase":
      return { ...state, phase: state.phase === "stopping" ? "stopping" : event.phase };
    case "place":
      return { ...state, isKept: event.isKept };
    case "device":
      return { ...state, device: event.name };
    case "data":
      return { ...state, data: event.facts };
    case "exam":
      return { ...state, [event.when]: event.answers };
    case "step":
      return { ...state, step: event.step, totalUpdates: event.totalUpdates };
    case "log":
      return { ...state, records: [...state.records, event.record] };
    case "checkpoint":
      return { ...state, resumable: event.step };
    case "finished":
      return { ...state, phase: "idle", end: "finished", resumable: undefined, files: event.files };
    case "stopped":
      return { ...state, phase: "idle", end: "stopped" };
    case "failed":
      return { ...state, phase: "idle", end: "failed", failure: event.failure };
    default:
      return state;
  }
}
