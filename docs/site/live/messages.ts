import type { LogRecord } from "@kto/trainer";
import type { Answers } from "./answers.js";
import type { LiveSettings } from "./settings.js";

/** What a run learns from: the demo's marked answers, or a file that was dropped or made of what was typed. */
export type LiveData = { kind: "sample" } | { kind: "file"; file: File };

/** What the page asks of the worker. */
export type LiveRequest =
  | { type: "train"; data: LiveData; settings: LiveSettings }
  /** Goes on with the run that is kept. */
  | { type: "resume" }
  /** Answers of the untrained model to questions that the held-out ones are not of, for a person to mark. */
  | { type: "draw"; count: number; seed: number }
  | { type: "ask"; question: string }
  | { type: "pause" }
  | { type: "continue" }
  | { type: "stop" };

/** What the worker is busy with. */
export type LivePhase = "loading" | "before" | "training" | "paused" | "after";

/** What is known of the rows that a run learns from. */
export interface DataFacts {
  name: string;
  rows: number;
  desirable: number;
  dropped: number;
  notes: readonly string[];
}

/** An error as it crosses from the worker to the page. */
export interface Failure {
  /** One of `errorCodes`; undefined for an error that is none of this project. */
  code: string | undefined;
  message: string;
}

/** A file of the trained adapter. */
export interface SavedFile {
  name: string;
  bytes: Uint8Array<ArrayBuffer>;
}

/** What the worker tells the page. */
export type LiveEvent =
  | { type: "phase"; phase: LivePhase }
  /** Whether files stay over a reload. */
  | { type: "place"; isKept: boolean }
  | { type: "device"; name: string }
  | { type: "data"; facts: DataFacts }
  | { type: "exam"; when: "before" | "after"; answers: Answers }
  | { type: "step"; step: number; totalUpdates: number }
  | { type: "log"; record: LogRecord }
  | { type: "checkpoint"; step: number }
  | { type: "finished"; files: readonly SavedFile[] }
  /** The reader stopped it, after a checkpoint if it had come to one. */
  | { type: "stopped" }
  | { type: "failed"; failure: Failure }
  | { type: "drawn"; answers: readonly { question: string; text: string }[] }
  | { type: "answer"; question: string; before: string; after: string | undefined }
  /** A question that was not answered, or answers that were not drawn; the run, if there is one, goes on. */
  | { type: "refused"; failure: Failure };
