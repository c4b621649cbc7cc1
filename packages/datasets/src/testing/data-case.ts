/**
 * An input of rows as people have it, and what every command makes of it: `data` with and without a model, `score`, `evaluate` and `train` see the same
 * rows and end with the same status. `packages/cli/src/data-kinds.gpu.test.ts` runs tables of these.
 */
export interface DataCase {
  /** What the input is, for the test's name. */
  name: string;
  /** Files by their path below a folder that is made for the case. */
  files: Readonly<Record<string, string | Uint8Array>>;
  /** What `--data` names, below that folder; default: the only file, or the folder where there are several. */
  data?: string;
  /** Further flags of every command. */
  flags?: readonly string[];
  outcome: DataOutcome;
}

/** What becomes of an input. */
export type DataOutcome = DataRead | DataRefused;

/** It is read. */
export interface DataRead {
  status: 0;
  /** Rows that are trained on (a pair is two). */
  rows: number;
  /** Indices of rows that are dropped; default none. */
  dropped?: readonly number[];
  /** The first rows that are trained on, as the tiny model's tokenizer reads them: `[prompt, completion, label]`, special tokens included. */
  samples?: readonly (readonly [prompt: string, completion: string, label: boolean])[];
  /** What stderr says of it; default: nothing is looked for. */
  says?: readonly RegExp[];
}

/** It is an input error: status 2, nothing written. */
export interface DataRefused {
  status: 2;
  /** What the error line says, all of these. */
  says: readonly RegExp[];
}
