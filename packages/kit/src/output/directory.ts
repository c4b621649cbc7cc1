import { platformFolder } from "#platform";
import type { RunFolder, RunFolderOptions } from "./run-folder.js";

/**
 * A folder on disk for the files of a run: `output: directory("outputs")`. Node only; a browser has {@link opfs}.
 *
 * @throws OutputError from the run, not from here: for a file, a folder in use, or one that holds a run, unless `overwrite` or a resume is asked for
 */
export function directory(path: string, options: RunFolderOptions = {}): RunFolder {
  return platformFolder("directory", path, options);
}

/** A folder of the page's private file system for the files of a run: `output: opfs("outputs")`. Browsers only; Node has {@link directory}. */
export function opfs(path: string, options: RunFolderOptions = {}): RunFolder {
  return platformFolder("opfs", path, options);
}
