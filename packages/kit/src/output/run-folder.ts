import { readText, type Store } from "@kto/core";
import { checkpointStep, listCheckpoints, writeErrorInRun, type RunOutput } from "@kto/trainer";
import { OutputError } from "./output-error.js";

/** Written last by the command: a folder that has it holds a finished run. */
export const resultsFile = "train_results.json";
export const metricsFile = "metrics.jsonl";

/** Files of a finished run: the command's results, or the adapter's config, which `saveModel` writes last. */
export const lastFiles: readonly string[] = [resultsFile, "adapter_config.json"];

/** Files of a run besides its checkpoints, removed when another run replaces it. */
const runFiles = [
  ...lastFiles,
  metricsFile,
  "trainer_state.json",
  "resolved_config.yaml",
  "data_summary.json",
  "samples.jsonl",
  "report.html",
  "adapter_model.safetensors",
  "README.md",
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "chat_template.jinja",
];

/** What is asked of a folder that runs go to. */
export interface RunFolderOptions {
  /** Replace the run that it holds. */
  overwrite?: boolean | undefined;
  /** Files that are written when the run begins: path and text. */
  files?: Readonly<Record<string, string>> | undefined;
}

/** What lies in a folder. */
interface Contents {
  /** Of files and folders. */
  names: ReadonlySet<string>;
  /** Names of checkpoints, oldest first. */
  checkpoints: readonly string[];
}

/** Keeps a second run out of a folder. */
export interface FolderLock {
  /** Throws OutputError while another run holds the folder. */
  expectFree(): Promise<void>;
  /** Takes the folder; resolves to what gives it back. Throws OutputError if another run has it. */
  take(): Promise<() => Promise<void>>;
}

/**
 * The folder of a run: its checkpoints, `metrics.jsonl`, the trained adapter. One that holds a run, finished or not, is refused unless `overwrite` or a
 * resume was asked for; while a run works in it, any other is.
 */
export class RunFolder implements RunOutput {
  readonly store: Store;
  readonly #lock: FolderLock;
  readonly #overwrite: boolean;
  readonly #files: Readonly<Record<string, string>>;
  #release: (() => Promise<void>) | undefined;

  constructor(store: Store, lock: FolderLock, { overwrite = false, files = {} }: RunFolderOptions = {}) {
    this.store = store;
    this.#lock = lock;
    this.#overwrite = overwrite;
    this.#files = files;
  }

  /** Throws OutputError if the folder is in use, or holds a run that nobody asked to replace or to go on with. Writes nothing. */
  async check({ resumes }: { resumes: boolean }): Promise<void> {
    await this.#lock.expectFree();
    if (!this.#overwrite && !resumes) this.#expectNoRun(await this.#contents());
  }

  /** Takes the folder. What a run that is replaced left goes, or, on resuming, what was logged and saved after `startStep`. Throws as `check`. */
  async begin({ startStep }: { startStep: number | undefined }): Promise<void> {
    if (this.#release)
      throw new OutputError(
        {
          operation: "{outputDir}",
          problem: `${this.store.name} has a run already`,
          expected: "a folder object of its own for each run",
          fields: ["outputDir"],
        },
        { path: this.store.name },
      );
    this.#release = await this.#lock.take();
    try {
      if (startStep !== undefined) await this.#cutBack(startStep);
      else await this.#clear();
      for (const [path, text] of Object.entries(this.#files)) await this.store.write(path, text);
    } catch (error) {
      await this.end();
      throw error;
    }
  }

  /** Appends a record to `metrics.jsonl` and waits until it is kept. Throws WriteError, which says how to go on; the lines before it stay whole. */
  async appendMetrics(record: object): Promise<void> {
    await this.#writing(() => this.store.append(metricsFile, `${JSON.stringify(record)}\n`));
  }

  /** Writes what a run came to, last of its files. Throws as `appendMetrics`. */
  async writeResults(results: Readonly<Record<string, number>>): Promise<void> {
    await this.#writing(() => this.store.write(resultsFile, `${JSON.stringify(results, null, 2)}\n`));
  }

  /** Gives the folder back. */
  async end(): Promise<void> {
    const release = this.#release;
    this.#release = undefined;
    await release?.();
  }

  /** What a finished run came to, where the command left it there; undefined for a folder without. */
  async results(): Promise<Record<string, number> | undefined> {
    const text = await readText(this.store, resultsFile);
    return text === undefined ? undefined : (JSON.parse(text) as Record<string, number>);
  }

  async #writing(write: () => Promise<void>): Promise<void> {
    try {
      await write();
    } catch (error) {
      throw await writeErrorInRun(error, this.store);
    }
  }

  /** Removes what the run had logged and saved after a step, and the results: from here on it takes another way. */
  async #cutBack(startStep: number): Promise<void> {
    await this.store.remove(resultsFile);
    await cutMetrics(this.store, startStep);
    for (const name of await listCheckpoints(this.store)) if (checkpointStep(name)! > startStep) await this.store.remove(name);
  }

  async #clear(): Promise<void> {
    const { names, checkpoints } = await this.#contents();
    if (!this.#overwrite) this.#expectNoRun({ names, checkpoints }); // another run may have come and gone since `check`
    const holdsRun = [...lastFiles, metricsFile].some((name) => names.has(name)) || checkpoints.length > 0;
    if (!holdsRun) return; // what lies there is somebody's, not a run's
    for (const name of [...runFiles, ...checkpoints]) await this.store.remove(name);
  }

  async #contents(): Promise<Contents> {
    return { names: new Set((await this.store.list()).map(({ name }) => name)), checkpoints: await listCheckpoints(this.store) };
  }

  #expectNoRun({ names, checkpoints }: Contents): void {
    const { name: path } = this.store;
    if (lastFiles.some((name) => names.has(name))) {
      throw new OutputError(
        {
          operation: "{outputDir}",
          problem: `${path} holds a finished run`,
          expected: "a new folder",
          advice: "pass {overwrite} to replace it, or choose another",
          fields: ["outputDir", "overwrite"],
        },
        { path },
      );
    }
    const checkpoint = checkpoints.at(-1);
    if (checkpoint === undefined) return;
    throw new OutputError(
      {
        operation: "{outputDir}",
        problem: `${path} holds an unfinished run with ${checkpoint}`,
        expected: "a new folder",
        advice: "go on with {resumeFrom} true, or pass {overwrite} to replace it",
        fields: ["outputDir", "resumeFrom", "overwrite"],
      },
      { path },
    );
  }
}

/** Keeps the lines up to `step`; a line that a killed process left half-written goes too. */
async function cutMetrics(store: Store, step: number): Promise<void> {
  const text = await readText(store, metricsFile);
  if (text === undefined) return;
  const whole = text.split("\n").slice(0, -1); // what stands after the last newline is half a line, or nothing
  const after = whole.findIndex((line) => !(stepOf(line) <= step));
  const kept = after < 0 ? whole : whole.slice(0, after);
  await store.write(metricsFile, kept.map((line) => `${line}\n`).join(""));
}

function stepOf(line: string): number {
  try {
    return (JSON.parse(line) as { step: number }).step;
  } catch {
    return Infinity;
  }
}
