import type { Store } from "@kto/core";

/** A place for the files of one run that looks after what lies there already; `directory(path)` of `@kto/kit` makes one. */
export interface RunOutput {
  readonly store: Store;
  /** Called before anything is planned. Throws if the place holds a run that nobody asked to go on with or to replace; writes nothing. */
  check?(run: { resumes: boolean }): Promise<void>;
  /** Called before the first update, when the run is known to fit: takes the place over. `startStep` is the step of the checkpoint that it goes on from. */
  begin?(run: { startStep: number | undefined }): Promise<void>;
  /** Called when the run has ended, in whatever way. */
  end?(): Promise<void>;
}

/** What `output` may be: a bare store takes any file at any time. */
export function runOutput(output: Store | RunOutput): RunOutput {
  return "store" in output ? output : { store: output };
}
