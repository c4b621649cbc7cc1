import { CapabilityError, opfsStore, type Store } from "@kto/core";
import { OutputError } from "./output-error.js";
import { RunFolder, type FolderLock, type RunFolderOptions } from "./run-folder.js";

/** A path to write to: a folder of the page's private files. */
export function storeAt(path: string): Store {
  return lateStore(path, privateFolder(path));
}

/** `opfs` in a browser. */
export function platformFolder(kind: "directory" | "opfs", path: string, options: RunFolderOptions): RunFolder {
  if (kind === "directory")
    throw new CapabilityError(
      `directory: a page cannot write to folders of the disk; expected Node, got a browser; use opfs(${JSON.stringify(path)}), the page's private files`,
    );
  return new RunFolder(storeAt(path), lockOf(path), options);
}

async function privateFolder(path: string): Promise<Store> {
  if (!globalThis.navigator?.storage?.getDirectory)
    throw new CapabilityError(
      "opfs: this page has no private file system; expected navigator.storage.getDirectory, got nothing; serve it over https or from localhost, outside a private window, or pass memoryStore() as output",
    );
  return opfsStore(await navigator.storage.getDirectory(), "opfs").folder(path);
}

/** A store that is opened when it is first used; opening it takes a promise, naming it does not. */
function lateStore(path: string, opening: Promise<Store>): Store {
  opening.catch(() => undefined); // whoever uses it is told
  return {
    name: `opfs/${path}`,
    open: async (file) => (await opening).open(file),
    write: async (file, content) => (await opening).write(file, content),
    append: async (file, content) => (await opening).append(file, content),
    writeFolder: async (folder, fill) => (await opening).writeFolder(folder, fill),
    list: async (folder) => (await opening).list(folder),
    remove: async (inner) => (await opening).remove(inner),
    folder: (inner) =>
      lateStore(
        `${path}/${inner}`,
        opening.then((store) => store.folder(inner)),
      ),
  };
}

/** One run a folder among all tabs, as far as the browser has locks. */
function lockOf(path: string): FolderLock {
  const name = `kto:${path}`;
  const inUse = (): OutputError =>
    new OutputError(
      {
        operation: "{outputDir}",
        problem: `${path} is in use by a run of this page or of another tab`,
        expected: "a folder of its own for each run",
        advice: "choose another, or wait for that run",
        fields: ["outputDir"],
      },
      { path },
    );
  return {
    async expectFree() {
      const { held = [] } = (await navigator.locks?.query()) ?? {};
      if (held.some((lock) => lock.name === name)) throw inUse();
    },
    take: () =>
      new Promise((resolve, reject) => {
        if (!navigator.locks) return resolve(async () => undefined);
        navigator.locks
          .request(name, { ifAvailable: true }, (lock) => {
            if (!lock) throw inUse();
            return new Promise<void>((release) => resolve(async () => release()));
          })
          .catch(reject);
      }),
  };
}
