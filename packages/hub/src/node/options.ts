import type { HubOptions } from "../options.js";

/** How far a file has come. */
export interface FileProgress {
  type: "file";
  repo: string;
  /** Path of the file in its repository. */
  name: string;
  /**
   * `start` and `done` frame a transfer; `cached`: nothing had to be fetched; `waiting`: another process fetches the file, told once;
   * `retry`: the transfer stopped and goes on after `delayMs`, because of `reason`; `hashing`: a large file is read for its checksum, before a push sends it.
   */
  state: "start" | "progress" | "done" | "cached" | "waiting" | "retry" | "hashing";
  /** Bytes there are, those of earlier attempts and runs included; smaller than before when a transfer had to begin again. */
  loadedBytes: number;
  totalBytes: number;
  /** Of the last seconds of this run; 0 where nothing was fetched. */
  bytesPerSecond: number;
  reason?: string;
  delayMs?: number;
}

/** `HubOptions` with the cache. What is not given comes from the environment. */
export interface CacheOptions extends HubOptions {
  /** Folder of the cache; default {@link cacheFolder}. */
  cacheDir?: string;
  /** Use only what is in the cache, send nothing; default `HF_HUB_OFFLINE`. */
  offline?: boolean;
  onProgress?: (progress: FileProgress) => void;
}

/** Options of {@link fileDownload}. */
export interface DownloadOptions extends CacheOptions {
  /** The same as `offline`, under Python's name. */
  localFilesOnly?: boolean;
  /** Connections at once, for all files together; default 8. */
  maxWorkers?: number;
}

/** Options of {@link snapshotDownload}. */
export interface SnapshotOptions extends DownloadOptions {
  /** Shell patterns of the files to fetch (`*` crosses `/`); default all. */
  include?: readonly string[];
  /** Shell patterns of files to leave out. */
  exclude?: readonly string[];
}
