import { type Store, WriteError } from "@kto/core";

/** Throws WriteError for a file that is there already. */
export async function expectNew(operation: string, store: Store, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const there = await store.open(path);
    if (!there) continue;
    await there.dispose?.();
    const problem = `${store.name}/${path} is there already`;
    throw new WriteError(
      { operation, problem, expected: "a path where nothing is", got: "a file", advice: "choose another, or remove it" },
      { path, reason: "EEXIST" },
    );
  }
}

/** Throws WriteError where the store knows that what is to be written does not fit. */
export async function expectRoom(operation: string, store: Store, neededBytes: number, path: string): Promise<void> {
  const freeBytes = await store.freeBytes?.();
  if (freeBytes === undefined || freeBytes >= neededBytes) return;
  const megabytes = (bytes: number): string => `${Math.ceil(bytes / 1e6).toLocaleString("en")} MB`;
  throw new WriteError(
    {
      operation,
      problem: `there is too little room in ${store.name}`,
      expected: `${megabytes(neededBytes)} free`,
      got: megabytes(freeBytes),
      advice: "free some space, or choose another folder; nothing was written",
    },
    { path, reason: "ENOSPC" },
  );
}
