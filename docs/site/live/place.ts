import { memoryStore, opfsStore, type Store } from "@kto/core";

/** Folder of the page's private files that runs go to. */
export const runFolder = "kto-live";

/** Where a run's files go. */
export interface RunPlace {
  store: Store;
  /** True for the browser's private files; false where it has none for this window, and they go with the worker. */
  isKept: boolean;
}

/** The page's private files, if they can be written, as they cannot in private windows of some browsers; else memory. */
export async function openRunPlace(): Promise<RunPlace> {
  try {
    const store = opfsStore(await navigator.storage.getDirectory(), "opfs").folder(runFolder);
    await store.write("probe", "");
    await store.remove("probe");
    return { store, isKept: true };
  } catch {
    return { store: memoryStore(runFolder), isKept: false };
  }
}

/** The page's private files to read from; undefined where there are none. */
export async function keptFiles(): Promise<Store | undefined> {
  try {
    return opfsStore(await navigator.storage.getDirectory(), "opfs").folder(runFolder);
  } catch {
    return undefined;
  }
}
