import { blobSource } from "../bytes/byte-source.js";
import { isKtoError, WriteError } from "../errors.js";
import type { Store, StoreEntry } from "../store.js";
import { byName, bytesOf, isHalfWritten, pathParts, writeContent } from "./content.js";

declare global {
  /** Merges with that of `dom`; without it, keeps these declarations whole. */
  interface FileSystemDirectoryHandle {}
}

/** A file in the folder beside one that is being replaced: while it is there, that folder is not whole. */
const REPLACING = ".replacing";

/**
 * A folder of a browser's private file system (`await navigator.storage.getDirectory()`), or one that a user picked, as a store.
 * The browser writes a file into a place of its own and moves it when it is closed, so that it is there whole or not at all.
 *
 * @throws WriteError (`reason`: `QuotaExceededError` where the site's share of the disk is used up)
 */
export function opfsStore(folder: FileSystemDirectoryHandle, name: string = folder.name || "opfs"): Store {
  return storeIn({ make: async () => folder, find: async () => folder }, name);
}

/** A folder that may have to be made. */
interface Place {
  make(): Promise<FileSystemDirectoryHandle>;
  find(): Promise<FileSystemDirectoryHandle | undefined>;
}

function storeIn(root: Place, name: string): Store {
  const placeOf = (parts: readonly string[]): Place => parts.reduce(inside, root);
  const split = (operation: string, path: string): { parent: Place; fileName: string } => {
    const parts = pathParts(operation, path);
    return { parent: placeOf(parts.slice(0, -1)), fileName: parts.at(-1)! };
  };
  const writing = async <T>(operation: string, path: string, work: () => Promise<T>): Promise<T> => {
    try {
      return await work();
    } catch (cause) {
      throw writeFailure(operation, `${name}/${path}`, cause);
    }
  };

  return {
    name,
    async open(path) {
      const { parent, fileName } = split("open", path);
      const handle = await orMissing((await parent.find())?.getFileHandle(fileName));
      return handle && blobSource(await handle.getFile(), `${name}/${path}`);
    },
    write: (path, content) =>
      writing("write", path, async () => {
        const { parent, fileName } = split("write", path);
        const folder = await parent.make();
        const fill = (stream: FileSystemWritableFileStream): Promise<void> =>
          writeContent(content, { write: async (bytes) => stream.write(Uint8Array.from(bytes)) });
        const old = await orMissing(folder.getFileHandle(fileName));
        if (old) return intoFile(old, 0, fill);
        try {
          const file = await folder.getFileHandle(`${fileName}.tmp`, { create: true }); // a new file is there, and empty, before it is written
          await intoFile(file, 0, fill);
          await moveFile(file, folder, fileName);
        } finally {
          await removeEntry(folder, `${fileName}.tmp`);
        }
      }),
    append: (path, content) =>
      writing("append", path, async () => {
        const { parent, fileName } = split("append", path);
        const folder = await parent.make();
        const isNew = (await orMissing(folder.getFileHandle(fileName))) === undefined;
        const file = await folder.getFileHandle(fileName, { create: true });
        try {
          await intoFile(file, (await file.getFile()).size, async (stream) => stream.write(Uint8Array.from(bytesOf(content))));
        } catch (error) {
          if (isNew) await removeEntry(folder, fileName);
          throw error;
        }
      }),
    writeFolder: (path, fill) =>
      writing("writeFolder", path, async () => {
        const { parent, fileName } = split("writeFolder", path);
        const beside = await parent.make();
        const partial = `${fileName}.partial`;
        await removeEntry(beside, partial);
        try {
          const filled = await beside.getDirectoryHandle(partial, { create: true });
          await fill(opfsStore(filled, `${name}/${path}`));
          await beside.getFileHandle(fileName + REPLACING, { create: true });
          await removeEntry(beside, fileName);
          await moveAll(filled, await beside.getDirectoryHandle(fileName, { create: true }));
          await removeEntry(beside, fileName + REPLACING);
        } finally {
          await removeEntry(beside, partial);
        }
      }),
    async list(path) {
      const folder = await (path === undefined ? root : placeOf(pathParts("list", path))).find();
      const found: StoreEntry[] = [];
      for await (const [entry, { kind }] of folder?.entries() ?? []) {
        found.push({ name: entry, kind: kind === "file" ? "file" : "folder" });
      }
      const replacing = new Set(found.map(({ name: entry }) => entry).filter((entry) => entry.endsWith(REPLACING)));
      return found.filter(({ name: entry }) => !isHalfWritten(entry) && !replacing.has(entry + REPLACING)).sort(byName);
    },
    async remove(path) {
      const { parent, fileName } = split("remove", path);
      const folder = await parent.find();
      if (folder) await removeEntry(folder, fileName);
    },
    folder: (path) => storeIn(placeOf(pathParts("folder", path)), `${name}/${path}`),
  };
}

function inside(outer: Place, part: string): Place {
  return {
    make: async () => (await outer.make()).getDirectoryHandle(part, { create: true }),
    async find() {
      const folder = await outer.find();
      const isHalf = (await orMissing(folder?.getFileHandle(part + REPLACING))) !== undefined;
      return isHalf ? undefined : orMissing(folder?.getDirectoryHandle(part));
    },
  };
}

/** Writes into a file from `at` on; when that fails the file stays as it was. */
async function intoFile(
  file: FileSystemFileHandle,
  at: number,
  work: (stream: FileSystemWritableFileStream) => Promise<void>,
): Promise<void> {
  const stream = await file.createWritable({ keepExistingData: at > 0 });
  try {
    if (at > 0) await stream.seek(at);
    await work(stream);
    await stream.close();
  } catch (error) {
    await stream.abort().catch(() => undefined);
    throw error;
  }
}

/** Moves what is in a folder into another; folders cannot be renamed in OPFS. */
async function moveAll(from: FileSystemDirectoryHandle, to: FileSystemDirectoryHandle): Promise<void> {
  const entries: FileSystemHandle[] = [];
  for await (const handle of from.values()) entries.push(handle);
  for (const handle of entries) {
    if (handle.kind === "file") await moveFile(handle as FileSystemFileHandle, to, handle.name);
    else await moveAll(handle as FileSystemDirectoryHandle, await to.getDirectoryHandle(handle.name, { create: true }));
  }
}

/** Browsers move files inside OPFS, though no standard says so yet; elsewhere, as in a folder that a user picked, the file is copied. */
async function moveFile(file: FileSystemFileHandle, to: FileSystemDirectoryHandle, name: string): Promise<void> {
  const movable = file as FileSystemFileHandle & { move?: (folder: FileSystemDirectoryHandle, name: string) => Promise<void> };
  const isMoved = await movable.move?.(to, name).then(
    () => true,
    () => false,
  );
  if (isMoved) return;
  const content = await file.getFile();
  await intoFile(await to.getFileHandle(name, { create: true }), 0, (stream) => stream.write(content));
}

async function removeEntry(folder: FileSystemDirectoryHandle, name: string): Promise<void> {
  await orMissing(folder.removeEntry(name, { recursive: true }));
}

/** What is asked for, or undefined where it is not there or is of the other kind. */
async function orMissing<T>(asked: Promise<T> | undefined): Promise<T | undefined> {
  try {
    return await asked;
  } catch (error) {
    if (["NotFoundError", "TypeMismatchError"].includes((error as DOMException).name)) return undefined;
    throw error;
  }
}

function writeFailure(operation: string, path: string, cause: unknown): unknown {
  if (isKtoError(cause) || !(cause instanceof DOMException) || cause.name === "AbortError") return cause;
  const full = cause.name === "QuotaExceededError";
  return new WriteError(
    {
      operation,
      problem: `${path} was not written`,
      expected: "room and leave to write",
      got: cause.name,
      advice: full
        ? "the browser gives this site no more room: free some, or ask for more with navigator.storage.persist()"
        : cause.message,
    },
    { path, reason: cause.name, cause },
  );
}
