import type { FileProgress } from "../options.js";

/** Between two reports of a file that moves. */
const INTERVAL_MS = 100;
/** Over which the speed is measured. */
const WINDOW_MS = 3_000;

/** Tells how far one file has come, ten times a second at most. */
export class ProgressReport {
  readonly #report: ((progress: FileProgress) => void) | undefined;
  readonly #repo: string;
  readonly #name: string;
  readonly #totalBytes: number;
  /** Bytes that this run fetched, over time; the first sample is where the window begins. */
  #samples: { ms: number; bytes: number }[] = [];
  #fetchedBytes = 0;
  #loadedBytes = 0;

  constructor(report: ((progress: FileProgress) => void) | undefined, repo: string, name: string, totalBytes: number) {
    this.#report = report;
    this.#repo = repo;
    this.#name = name;
    this.#totalBytes = totalBytes;
  }

  cached(): void {
    this.#loadedBytes = this.#totalBytes;
    this.#send("cached");
  }

  waiting(): void {
    this.#send("waiting");
  }

  /** A transfer begins, with what earlier runs left. */
  start(loadedBytes: number): void {
    this.#loadedBytes = loadedBytes;
    this.#samples = [{ ms: performance.now(), bytes: this.#fetchedBytes }];
    this.#send("start");
  }

  add(bytes: number): void {
    this.#advance(bytes, "progress");
  }

  /** So many more bytes were read for the checksum of a file. */
  hashed(bytes: number): void {
    if (this.#samples.length === 0) this.#samples = [{ ms: performance.now(), bytes: 0 }];
    this.#advance(bytes, "hashing");
  }

  #advance(bytes: number, state: "progress" | "hashing"): void {
    this.#fetchedBytes += bytes;
    this.#loadedBytes += bytes;
    const ms = performance.now();
    if (ms - this.#samples.at(-1)!.ms < INTERVAL_MS) return;
    this.#samples.push({ ms, bytes: this.#fetchedBytes });
    while (this.#samples.length > 2 && ms - this.#samples[1]!.ms > WINDOW_MS) this.#samples.shift();
    this.#send(state);
  }

  /** The transfer goes on, or begins again with `loadedBytes`. */
  retry(reason: string, delayMs: number, loadedBytes: number = this.#loadedBytes): void {
    this.#loadedBytes = loadedBytes;
    this.#send("retry", { reason, delayMs });
  }

  done(): void {
    this.#loadedBytes = this.#totalBytes;
    this.#send("done");
  }

  #send(state: FileProgress["state"], facts: Pick<FileProgress, "reason" | "delayMs"> = {}): void {
    const first = this.#samples[0];
    const elapsedMs = first ? performance.now() - first.ms : 0;
    this.#report?.({
      type: "file",
      repo: this.#repo,
      name: this.#name,
      state,
      loadedBytes: this.#loadedBytes,
      totalBytes: this.#totalBytes,
      bytesPerSecond: first && elapsedMs > 0 ? Math.round(((this.#fetchedBytes - first.bytes) / elapsedMs) * 1000) : 0,
      ...facts,
    });
  }
}
