import type { FileProgress } from "@kto/hub/node";
import type { Console } from "./console.js";
import { clip } from "./format.js";
import type { Progress, ProgressUpdate } from "./progress.js";
import { progressLine } from "./progress-line.js";

/** A file on its way. */
interface Running extends Required<Omit<ProgressUpdate, "text">> {
  startMs: number;
  /** Bytes that were there when it started. */
  firstBytes: number;
}

/**
 * What is seen of transfers: a bar of all files on their way, where there is no terminal a line every few seconds, and a line that stays for each finished file.
 * Files that were in the cache show nothing.
 */
export class DownloadDisplay {
  readonly #console: Console;
  readonly #running = new Map<string, Running>();
  #progress: Progress | undefined;
  #numCached = 0;
  #numFetched = 0;

  constructor(console: Console) {
    this.#console = console;
  }

  /** Files that came over the network, and files that were in the cache. */
  get counts(): { fetched: number; cached: number } {
    return { fetched: this.#numFetched, cached: this.#numCached };
  }

  /** An arrow function, to be handed over as `onProgress`. */
  readonly show = (event: FileProgress): void => {
    const key = `${event.repo}/${event.name}`;
    if (event.state === "start" || event.state === "cached") this.#running.delete(key); // what was hashed
    if (event.state === "cached") {
      this.#numCached++;
      return;
    }
    if (event.state === "done") {
      this.#finish(key, event);
      return;
    }
    if (event.state === "waiting") {
      this.#console.line(clip(`${event.name}: another process is fetching it; waiting`, this.#console.width));
      return;
    }
    this.#track(key, event.state === "hashing" ? { ...event, name: `hashing ${event.name}` } : event);
    if (event.state === "retry") this.#console.line(clip(retryLine(event), this.#console.width));
    else this.#draw();
  };

  /** Says what is waited for, where nothing else was said. */
  waiting(endpoint: string): void {
    if (this.#running.size === 0 && this.#numFetched === 0) this.#console.line(clip(`waiting for ${endpoint}`, this.#console.width));
  }

  /** Takes away what moves; call it when transfers end, however they end. */
  stop(): void {
    this.#progress?.stop();
    this.#progress = undefined;
    this.#running.clear();
  }

  #track(key: string, { name, loadedBytes: done, totalBytes: total, bytesPerSecond: perSecond }: FileProgress): Running {
    const before = this.#running.get(key);
    const startMs = before?.startMs ?? performance.now();
    const transfer = { name, done, total, perSecond, startMs, firstBytes: Math.min(before?.firstBytes ?? done, done) };
    this.#running.set(key, transfer);
    return transfer;
  }

  #draw(): void {
    this.#progress ??= this.#console.progress("", "bytes");
    this.#progress.update(together([...this.#running.values()]));
  }

  #finish(key: string, event: FileProgress): void {
    const { startMs, firstBytes, ...transfer } = this.#track(key, event);
    this.#running.delete(key);
    if (this.#running.size > 0) this.#draw();
    else this.stop();
    this.#numFetched++;
    const elapsedMs = performance.now() - startMs;
    const perSecond = (transfer.done - firstBytes) / Math.max(elapsedMs / 1000, 1e-3);
    this.#console.line(progressLine({ ...transfer, unit: "bytes", elapsedMs, perSecond }, this.#console.width));
  }
}

/** Several transfers as one. */
function together(transfers: readonly Running[]): ProgressUpdate {
  const sum = (of: "done" | "total" | "perSecond"): number => transfers.reduce((total, transfer) => total + transfer[of], 0);
  const name = transfers.length === 1 ? transfers[0]!.name : `${transfers.length} files`;
  return { name, done: sum("done"), total: sum("total"), perSecond: sum("perSecond") };
}

function retryLine({ name, reason, delayMs = 0 }: FileProgress): string {
  return `${name}: ${reason ?? "the transfer stopped"}; trying again in ${(delayMs / 1000).toFixed(1)} s`;
}
