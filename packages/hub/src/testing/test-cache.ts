import { readdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DownloadOptions, FileProgress } from "../node/options.js";
import { type LoopbackHub, type LoopbackHubOptions, startLoopbackHub } from "./loopback-hub.js";

/** A hub on loopback and an empty cache. */
export interface TestCache extends AsyncDisposable {
  hub: LoopbackHub;
  cacheDir: string;
  /** Options of a download from this hub into this cache, without a token, quick to try again; what is reported goes to `progress`. */
  options: DownloadOptions;
  progress: FileProgress[];
  /** Names in the folder of blobs of a model. */
  blobs(id?: string): Promise<string[]>;
}

/** Starts a hub, and makes a folder for a cache that is gone with it. */
export async function startTestCache(options?: LoopbackHubOptions): Promise<TestCache> {
  const hub = await startLoopbackHub(options);
  const cacheDir = await mkdtemp(join(tmpdir(), "kto-hub-"));
  const progress: FileProgress[] = [];
  return {
    hub,
    cacheDir,
    progress,
    options: {
      endpoint: hub.endpoint,
      cacheDir,
      token: false,
      offline: false,
      retry: { count: 3, baseMs: 1 },
      onProgress: (event) => progress.push(event),
    },
    blobs: async (id = "owner/name") => (await readdir(join(cacheDir, `models--${id.replace("/", "--")}`, "blobs"))).sort(),
    async [Symbol.asyncDispose]() {
      await hub[Symbol.asyncDispose]();
      await rm(cacheDir, { recursive: true });
    },
  };
}

/** Bytes that look random and are the same each time. */
export function sampleBytes(length: number, seed: number = 1): Uint8Array {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = seed;
  for (let i = 0; i < words.length; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    words[i] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}
