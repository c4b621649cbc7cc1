import { isKtoError } from "@kto/core";
import type { FactsOptions } from "../run/read-facts.js";
import type { RunFolder } from "../run/run-folder.js";
import { FollowedRun } from "./followed-run.js";
import type { ListedRun } from "./live-events.js";
import type { LiveRun, RunStatus } from "./live-run.js";
import { progressOf } from "./progress.js";

/** Where runs to show come from, and how their files are read. */
export interface LiveRunsOptions extends Pick<FactsOptions, "defaultOf"> {
  /** The runs that there are now, asked for again and again. */
  runs(): readonly LiveRun[] | Promise<readonly LiveRun[]>;
}

/** A run that somebody looks at: what its files and its status are. */
export interface WatchedRun {
  readonly name: string;
  /** Of files that are others than before it is another. */
  readonly followed: FollowedRun;
  readonly status: RunStatus;
}

/** Milliseconds between two looks at the files, however many look; and between two looks for further runs. */
const tickMs = 500;
const listMs = 2000;

/** Runs that are looked at while they go on. Nothing is read unless somebody looks, and then once for all. */
export class LiveRuns {
  readonly #options: LiveRunsOptions;
  readonly #followed = new Map<string, { folder: RunFolder | undefined; run: FollowedRun }>();
  readonly #looks = new Map<string, { at: number; look: Promise<WatchedRun | undefined> }>();
  #list: { at: number; runs: Promise<readonly LiveRun[]> } | undefined;
  #tick: { promise: Promise<void>; end(): void } | undefined;
  #isClosed = false;

  constructor(options: LiveRunsOptions) {
    this.#options = options;
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** Somebody has come who wants to see what there is now. */
  arrive(): void {
    this.#list = undefined;
  }

  /** The runs that there are, with their states. */
  async list(): Promise<ListedRun[]> {
    const runs = await this.#runs();
    return Promise.all(
      runs.map(async (run) => ({ name: run.name, state: (await run.status()).state, canControl: run.control !== undefined })),
    );
  }

  /** The run of this process. */
  async controlled(): Promise<LiveRun | undefined> {
    return (await this.#runs()).find(({ control }) => control);
  }

  /** A run as it is now; undefined where there is none of that name. */
  watch(name: string): Promise<WatchedRun | undefined> {
    const known = this.#looks.get(name);
    if (known && performance.now() - known.at < tickMs / 2) return known.look;
    const look = Promise.resolve(known?.look.catch(() => undefined)).then(() => this.#look(name));
    this.#looks.set(name, { at: performance.now(), look });
    return look;
  }

  /** Waits for the next look, or for {@link wake}. */
  next(): Promise<void> {
    if (this.#isClosed) return Promise.resolve();
    if (!this.#tick) {
      let end = (): void => {};
      const promise = new Promise<void>((resolve) => {
        const timer = setTimeout(() => end(), tickMs);
        end = () => {
          clearTimeout(timer);
          this.#tick = undefined;
          resolve();
        };
      });
      this.#tick = { promise, end };
    }
    return this.#tick.promise;
  }

  /** Something has changed: whoever waits looks at once. */
  wake(): void {
    for (const look of this.#looks.values()) look.at = -Infinity;
    this.#list = undefined;
    this.#tick?.end();
  }

  /** Everybody looks once more, and then no more. */
  close(): void {
    this.#isClosed = true;
    this.wake();
  }

  #runs(): Promise<readonly LiveRun[]> {
    if (!this.#list || performance.now() - this.#list.at > listMs)
      this.#list = { at: performance.now(), runs: Promise.resolve(this.#options.runs()) };
    return this.#list.runs;
  }

  async #look(name: string): Promise<WatchedRun | undefined> {
    const live = (await this.#runs()).find((run) => run.name === name);
    if (!live) return undefined;
    const { folder, evaluations } = live;
    const known = this.#followed.get(name);
    const followed =
      known?.folder?.name === folder?.name && known ? known.run : new FollowedRun(folder ?? emptyFolder, { ...this.#options, evaluations });
    this.#followed.set(name, { folder, run: followed });
    const unread = await followed.refresh().then(
      () => undefined,
      (error: unknown) => {
        if (isKtoError(error)) return error.message;
        throw error;
      },
    );
    const status = await live.status();
    return {
      name,
      followed,
      status: { ...progressOf(followed), ...(unread !== undefined && { message: unread }), ...status },
    };
  }
}

/** Of a run that has no files yet. */
const emptyFolder: RunFolder = { name: "", open: () => Promise.resolve(undefined), list: () => Promise.resolve([]) };
