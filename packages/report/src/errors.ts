import { KtoError, type ErrorText } from "@kto/core";

/** A folder that holds no run, or only runs in folders of its own. */
export class RunFolderError extends KtoError {
  override name = "RunFolderError";
  /** Names of the folders in it that hold runs. */
  readonly runs: readonly string[];

  constructor(text: ErrorText, runs: readonly string[] = []) {
    super("RUN_FOLDER", text);
    this.runs = runs;
  }
}
