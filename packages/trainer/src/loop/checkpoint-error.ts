import { FormatError } from "@kto/core";

/** A file of a checkpoint that is not what was written. */
export interface DamagedFile {
  /** `checkpoint-<step>`. */
  readonly checkpoint: string;
  readonly file: string;
  /** What is wrong with it. */
  readonly problem: string;
}

/** A checkpoint cannot be gone on from: a file of it is missing, cut off, changed since it was written, or another one's. */
export class CheckpointError extends FormatError implements DamagedFile {
  override name = "CheckpointError";
  readonly checkpoint: string;
  readonly file: string;
  readonly problem: string;

  constructor(
    { checkpoint, file, problem }: DamagedFile,
    { advice = "resume from another one", cause }: { advice?: string; cause?: unknown } = {},
  ) {
    super(
      { operation: "resume", problem: `${checkpoint}/${file} is damaged: ${problem}`, advice, fields: ["resumeFrom", "overwrite"] },
      { source: `${checkpoint}/${file}`, cause },
    );
    this.checkpoint = checkpoint;
    this.file = file;
    this.problem = problem;
  }
}
