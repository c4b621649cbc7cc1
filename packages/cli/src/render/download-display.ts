import type { FileProgress } from "@kto/hub/node";
import type { Board, Console } from "./console.js";
import { plainLineMs } from "./console.js";
import { clip } from "./format.js";
import { transferLine, type Transfer } from "./transfer-line.js";

/** A file on its way. */
interface Running extends Transfer {
  startMs: number;
  /** Bytes that were there when it started. */
  firstBytes: number;
}

/**
 * What is seen of downloads: in a terminal a line for each file on its way that stays when it is done; elsewhere a line every few seconds and
 * one for each finished file. Files that were in the cache show nothing.
 */
export class DownloadDisplay {
  readonly #console: Console;
  readonly #running = new Map<string, Running>();
  #board: Board | undefined;
  #lastLineMs = performance.now();
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
    const transfer = this.#track(key, event);
    if (event.state === "retry") this.#console.line(clip(retryLine(event), this.#console.width));
    else this.#draw(key, transfer);
  };

  /** Says what is waited for, where nothing else was said. */
  waiting(endpoint: string): void {
    if (this.#running.size === 0 && this.#numFetched === 0) this.#console.line(clip(`waiting for ${endpoint}`, this.#console.width));
  }

  /** Takes away what moves; call it when downloads end, however they end. */
  stop(): void {
    this.#board?.stop();
    this.#board = undefined;
    this.#running.clear();
  }

  #track(key: string, { name, loadedBytes, totalBytes, bytesPerSecond }: FileProgress): Running {
    const now = performance.now();
    const before = this.#running.get(key);
    const startMs = before?.startMs ?? now;
    const firstBytes = Math.min(before?.firstBytes ?? loadedBytes, loadedBytes);
    const transfer = { name, loadedBytes, totalBytes, bytesPerSecond, startMs, firstBytes, elapsedMs: now - startMs };
    this.#running.set(key, transfer);
    return transfer;
  }

  #draw(key: string, transfer: Running): void {
    this.#board ??= this.#console.board();
    if (this.#board) this.#board.set(key, transferLine(transfer, this.#console.width, { bar: true }));
    else if (performance.now() - this.#lastLineMs >= plainLineMs) {
      this.#lastLineMs = performance.now();
      this.#console.line(transferLine(together([...this.#running.values()]), this.#console.width));
    }
  }

  #finish(key: string, event: FileProgress): void {
    const { firstBytes, elapsedMs, ...transfer } = this.#track(key, event);
    this.#running.delete(key);
    this.#board?.remove(key);
    this.#numFetched++;
    const bytesPerSecond = (transfer.loadedBytes - firstBytes) / Math.max(elapsedMs / 1000, 1e-3);
    this.#console.line(transferLine({ ...transfer, elapsedMs, bytesPerSecond }, this.#console.width));
  }
}

/** Several transfers as one. */
function together(transfers: readonly Running[]): Transfer {
  const [first] = transfers;
  if (transfers.length === 1) return first!;
  const sum = (of: (transfer: Running) => number): number => transfers.reduce((total, transfer) => total + of(transfer), 0);
  return {
    name: `${transfers.length} files`,
    loadedBytes: sum(({ loadedBytes }) => loadedBytes),
    totalBytes: sum(({ totalBytes }) => totalBytes),
    bytesPerSecond: sum(({ bytesPerSecond }) => bytesPerSecond),
    elapsedMs: Math.max(...transfers.map(({ elapsedMs }) => elapsedMs)),
  };
}

function retryLine({ name, reason, delayMs = 0 }: FileProgress): string {
  return `${name}: ${reason ?? "the transfer stopped"}; trying again in ${(delayMs / 1000).toFixed(1)} s`;
}
