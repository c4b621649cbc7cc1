import { randomBytes } from "node:crypto";
import { copyFileSync, linkSync, lstatSync, mkdirSync, readdirSync, rmSync } from "node:fs";
import { basename, join } from "node:path";
import { checkPush, type FileProgress, type LeftOutFile, type PushAccess, type PushResult } from "@kto/hub/node";
import { checkpointStep } from "@kto/trainer";
import { expandHome } from "../platform/node-places.js";
import { pushToHub } from "./push-to-hub.js";

/**
 * When a run is pushed, as in transformers. `end`: when it is over. `every_save`: what a checkpoint would load, at each of them too. `checkpoint`: with it
 * the checkpoint itself, as `last-checkpoint`, from which a run can go on. `all_checkpoints`: each of them under its own name.
 */
export type HubStrategy = "end" | "every_save" | "checkpoint" | "all_checkpoints";

/** How the folder of a run is pushed. */
export interface RunPushOptions extends PushAccess {
  strategy?: HubStrategy | undefined;
  /** Push a checkpoint also when the push of the one before has not ended: after it. */
  alwaysPush?: boolean | undefined;
  license?: string | undefined;
  cacheDir?: string;
  /** Is told of pushes on the way that failed; what they held is tried again at the end. */
  onWarning?(warning: string): void;
  onNote?(note: string): void;
  onLeftOut?(file: LeftOutFile): void;
  /** Of the push at the end, which is waited for. */
  onProgress?(progress: FileProgress): void;
}

/** Files of a checkpoint that only going on with a run needs. */
const FILES_OF_A_RESUME: ReadonlySet<string> = new Set(["optimizer.safetensors"]);
/** Files of a run that are worth pushing while it goes on; the log still grows. */
const FILES_OF_A_RUN = ["resolved_config.yaml", "metrics.jsonl"];

/**
 * Pushes of a run. Finds out first whether they will be allowed, and makes the repository where there is none.
 *
 * @param folder  the folder that the run writes to
 * @throws HubError: a bad name, no token, a token that may not write there
 */
export async function openRunPushes(folder: string, options: RunPushOptions): Promise<RunPushes> {
  const { repo, url } = await checkPush(options);
  const revision = options.revision ?? options.repo.split("@")[1];
  return new RunPushes(expandHome(folder), { ...options, repo, ...(revision !== undefined && { revision }) }, url);
}

/** Pushes of a run, those of its checkpoints in the background. */
export class RunPushes {
  /** `"owner/name"`. */
  readonly repo: string;
  /** Page of the repository. */
  readonly url: string;
  readonly #folder: string;
  readonly #options: RunPushOptions;
  #underWay: Promise<void> | undefined;
  #lastStep: number | undefined;

  constructor(folder: string, options: RunPushOptions, url: string) {
    this.#folder = folder;
    this.#options = options;
    this.repo = options.repo;
    this.url = url;
  }

  /** The update whose checkpoint was pushed last. */
  get lastStep(): number | undefined {
    return this.#lastStep;
  }

  /** Whether a checkpoint is being pushed. */
  get isUnderWay(): boolean {
    return this.#underWay !== undefined;
  }

  /**
   * A checkpoint was saved: pushes it in the background where the strategy says so. Its files are held on to before this returns, so that the run may
   * remove it. While another push is under way it is passed over, unless `alwaysPush` is set.
   */
  checkpointSaved({ step, path }: { step: number; path: string }): void {
    const { strategy = "every_save", alwaysPush = false, signal, onWarning } = this.#options;
    if (strategy === "end" || signal?.aborted || (this.#underWay !== undefined && !alwaysPush)) return;
    const failed = (error: unknown): void => {
      if (!signal?.aborted)
        onWarning?.(`the push of update ${step} failed and is tried again at the end: ${error instanceof Error ? error.message : String(error)}`); // prettier-ignore
    };
    let stage: string;
    try {
      stage = this.#stage(path, FILES_OF_A_RUN, strategy === "every_save" ? [] : [path]);
    } catch (error) {
      return failed(error);
    }
    const before = this.#underWay ?? Promise.resolve();
    const push = before.then(async () => {
      try {
        await this.#push(stage, `Training in progress, step ${step}`, { isLast: false });
        this.#lastStep = step;
      } catch (error) {
        failed(error);
      }
    });
    const underWay = push.finally(() => {
      if (this.#underWay === underWay) this.#underWay = undefined;
    });
    this.#underWay = underWay;
  }

  /** Pushes what the run came to, when what is under way has ended, with the checkpoints that the strategy names. Throws HubError; the signal's reason. */
  async end(): Promise<PushResult> {
    await this.settled();
    const { strategy } = this.#options;
    const checkpoints = readdirSync(this.#folder).filter((name) => checkpointStep(name) !== undefined).sort((a, b) => checkpointStep(a)! - checkpointStep(b)!); // prettier-ignore
    const wanted = strategy === "all_checkpoints" ? checkpoints : strategy === "checkpoint" ? checkpoints.slice(-1) : [];
    const stage = this.#stage(this.#folder, [], wanted.map((name) => join(this.#folder, name))); // prettier-ignore
    return this.#push(stage, "End of training", { isLast: true });
  }

  /** Resolves when no push is under way. */
  async settled(): Promise<void> {
    await this.#underWay;
  }

  async #push(stage: string, commitMessage: string, { isLast }: { isLast: boolean }): Promise<PushResult> {
    const { strategy: _, alwaysPush: __, onWarning: ___, onProgress, onNote, onLeftOut, ...options } = this.#options;
    const shown = isLast ? { ...(onProgress && { onProgress }), ...(onNote && { onNote }), ...(onLeftOut && { onLeftOut }) } : {};
    try {
      return await pushToHub(stage, { ...options, ...shown, checkpoints: true, commitMessage });
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
  }

  /**
   * A folder with what is to be pushed, laid out as in the repository: second names of the files of `root`, of the checkpoints, and copies of those that
   * still grow. A run that takes the folder after a killed one removes it by its name.
   */
  #stage(root: string, grown: readonly string[], checkpoints: readonly string[]): string {
    const stage = join(this.#folder, `push.${randomBytes(4).toString("hex")}.tmp`);
    const isCheckpoint = root !== this.#folder;
    mkdirSync(stage);
    try {
      linkFiles(root, stage, (name) => !isCheckpoint || !FILES_OF_A_RESUME.has(name));
      for (const name of grown) copyIfThere(join(this.#folder, name), join(stage, name));
      for (const path of checkpoints)
        linkFiles(path, join(stage, this.#options.strategy === "checkpoint" ? "last-checkpoint" : basename(path)));
      return stage;
    } catch (error) {
      rmSync(stage, { recursive: true, force: true });
      throw error;
    }
  }
}

/** Gives the files of a folder, not of folders in it, second names in another; copies where the file system has no hard links. */
function linkFiles(from: string, to: string, isWanted: (name: string) => boolean = () => true): void {
  mkdirSync(to, { recursive: true });
  for (const name of readdirSync(from)) {
    const source = join(from, name);
    if (name.startsWith(".") || !isWanted(name) || !lstatSync(source).isFile()) continue;
    try {
      linkSync(source, join(to, name));
    } catch {
      copyFileSync(source, join(to, name));
    }
  }
}

function copyIfThere(from: string, to: string): void {
  try {
    copyFileSync(from, to);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT") throw error;
  }
}
