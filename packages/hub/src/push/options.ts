import type { FileProgress } from "../node/options.js";
import type { HubOptions } from "../options.js";
import type { LeftOutFile } from "./folder-files.js";

/** Where a push goes, and how. What is not given comes from the environment. */
export interface PushAccess extends Omit<HubOptions, "token"> {
  /** `"owner/name"`, or `"owner/name@branch"`. */
  repo: string;
  /** Token with write access; default `HF_TOKEN` or the token file. It goes to the hub itself, never to its storage. */
  token?: string;
  /** Whether a repository made for this is private; default as the owner has it set. */
  private?: boolean;
}

/** Options of {@link pushFolder}. */
export interface PushOptions extends PushAccess {
  /** Open a pull request instead of writing to the branch; the repository must exist. */
  createPr?: boolean;
  /** First line of the commit; default `"Upload folder"`. */
  commitMessage?: string;
  /** Shell patterns of the files to push (`*` crosses `/`); default all. */
  include?: readonly string[];
  /** Shell patterns of files to leave out. */
  exclude?: readonly string[];
  /** Push the folders `checkpoint-N` too. */
  checkpoints?: boolean;
  /** Files by path that are pushed beside those of the folder, in place of any of the same path. */
  files?: Readonly<Record<string, string | Uint8Array>>;
  /** Connections at once, for all files together; default 5. */
  maxWorkers?: number;
  /** Folder of the cache, where unfinished uploads are noted; default as for downloads. */
  cacheDir?: string;
  /** How far each file has come; `cached`: the hub has it already. */
  onProgress?: (progress: FileProgress) => void;
  /** Is told of each file that stays behind, and why, before anything is sent. */
  onLeftOut?: (file: LeftOutFile) => void;
}

/** Where a push went. */
export interface PushResult {
  /** Page of the commit, or of the pull request. */
  url: string;
  /** Id of the commit; that of the branch, where nothing had changed. */
  commit: string;
  /** Paths of the files that the commit changed; none: the hub had all of them, and there is no new commit. */
  changed: readonly string[];
}
