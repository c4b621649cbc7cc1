import { existsSync, statSync } from "node:fs";
import { CapabilityError, type Store } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { expandHome } from "../platform/node-places.js";
import { OutputError } from "./output-error.js";
import { RunFolder, type FolderLock, type RunFolderOptions } from "./run-folder.js";
import { expectUnlocked, releaseLock, sweep, takeLock } from "./run-lock.js";

/** A path to write to: a folder on disk. */
export function storeAt(path: string): Store {
  return folderStore(expandHome(path));
}

/** `directory` in Node. */
export function platformFolder(kind: "directory" | "opfs", path: string, options: RunFolderOptions): RunFolder {
  if (kind === "opfs")
    throw new CapabilityError(
      `opfs: there is no private file system outside a browser; expected a browser, got Node; use directory(${JSON.stringify(path)})`,
    );
  return new RunFolder(storeAt(path), lockOf(expandHome(path)), options);
}

function lockOf(path: string): FolderLock {
  return {
    async expectFree() {
      expectFolder(path);
      expectUnlocked(path);
    },
    async take() {
      expectFolder(path);
      const wasMade = !existsSync(path);
      await takeLock(path);
      await sweep(path);
      return () => releaseLock(path, { wasMade });
    },
  };
}

/** Throws OutputError for a file, and for what cannot be looked at. */
function expectFolder(path: string): void {
  const fail = (problem: string, got: string | undefined, cause?: unknown): OutputError =>
    new OutputError(
      {
        operation: "{outputDir}",
        problem: `${path} ${problem}`,
        expected: got === undefined ? "a folder, or a path where one can be made" : "a folder",
        got,
        advice: "choose another",
        fields: ["outputDir"],
      },
      { path, cause },
    );
  try {
    if (statSync(path, { throwIfNoEntry: false })?.isDirectory() === false) throw fail("is a file", undefined);
  } catch (cause) {
    if (cause instanceof OutputError) throw cause;
    throw fail("cannot be used", (cause as NodeJS.ErrnoException).code, cause);
  }
}
