import { mkdir, open, readdir, rename, rm, stat, statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { SourceError } from "../errors.js";
import type { Store, StoreEntry } from "../store.js";
import { byName, bytesOf, isHalfWritten, pathParts, writeContent } from "../store/content.js";
import { fileSource } from "./file-source.js";
import { handleSink, temporaryBeside, writeFailure, writeFileAtomic } from "./write-file.js";

/** A folder on disk as a store; it is made when the first file is written. Throws WriteError where the file system refuses. */
export function folderStore(path: string): Store {
  const at = (operation: string, inner: string): string => join(path, ...pathParts(operation, inner));
  return {
    name: path,
    async open(file) {
      try {
        return await fileSource(at("open", file));
      } catch (error) {
        if (error instanceof SourceError && (error.reason === "ENOENT" || error.reason === "ENOTDIR")) return undefined;
        throw error;
      }
    },
    async write(file, content) {
      const target = at("write", file);
      await makeFolder(target);
      await writeFileAtomic(target, (sink) => writeContent(content, sink));
    },
    async append(file, content) {
      const target = at("append", file);
      await makeFolder(target);
      await appendWhole(target, bytesOf(content));
    },
    async writeFolder(folder, fill) {
      const target = at("writeFolder", folder);
      const partial = `${target}.partial`;
      try {
        await rm(partial, { recursive: true, force: true }); // a killed process left it
        await mkdir(partial, { recursive: true });
        await fill(folderStore(partial));
        await replaceFolder(partial, target);
      } catch (cause) {
        await rm(partial, { recursive: true, force: true }).catch(() => undefined);
        throw writeFailure("writeFolder", target, cause);
      }
    },
    async list(folder) {
      const place = folder === undefined ? path : at("list", folder);
      const names = await readdir(place).catch((error: NodeJS.ErrnoException) => {
        if (error.code === "ENOENT" || error.code === "ENOTDIR") return [];
        throw error;
      });
      const entries = await Promise.all(names.filter((name) => !isHalfWritten(name)).map((name) => entryOf(place, name)));
      return entries.filter((entry) => entry !== undefined).sort(byName);
    },
    async remove(inner) {
      const target = at("remove", inner);
      await rm(target, { recursive: true, force: true }).catch((cause: unknown) => {
        throw writeFailure("remove", target, cause, "some of it may be left");
      });
    },
    folder: (inner) => folderStore(at("folder", inner)),
    freeBytes: () => freeBytesAt(path),
  };
}

/** What the disk has left at a path, or at the nearest folder above it that is there. File systems that count no blocks say nothing. */
async function freeBytesAt(path: string): Promise<number | undefined> {
  const disk = await statfs(path).catch((error: NodeJS.ErrnoException) => error.code);
  if (disk === "ENOENT" && dirname(path) !== path) return freeBytesAt(dirname(path));
  return typeof disk === "object" && disk.blocks > 0 ? disk.bavail * disk.bsize : undefined;
}

async function makeFolder(file: string): Promise<void> {
  await mkdir(dirname(file), { recursive: true }).catch((cause: unknown) => {
    throw writeFailure("write", file, cause);
  });
}

/** Puts a complete folder in the place of another, which comes back when that fails. */
async function replaceFolder(from: string, target: string): Promise<void> {
  const old = temporaryBeside(target);
  const hadOne = await rename(target, old).then(
    () => true,
    (error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return false;
      throw error;
    },
  );
  try {
    await rename(from, target);
  } catch (error) {
    if (hadOne) await rename(old, target);
    throw error;
  }
  if (hadOne) await rm(old, { recursive: true, force: true });
}

/** Adds bytes and waits until they are on the disk; a part that was written before a failure is cut off again. */
async function appendWhole(path: string, bytes: Uint8Array): Promise<void> {
  const before = await stat(path).catch(() => undefined);
  const handle = await open(path, "a").catch((cause: unknown) => {
    throw writeFailure("append", path, cause);
  });
  let isOpen = true;
  try {
    await handleSink(handle).write(bytes);
    await handle.sync();
    isOpen = false;
    await handle.close();
  } catch (cause) {
    const isCut = await handle.truncate(before?.size ?? 0).then(
      () => true,
      () => false,
    );
    if (!before) await rm(path, { force: true }).catch(() => undefined);
    throw writeFailure("append", path, cause, isCut ? undefined : "it may end in a part of what was to be added");
  } finally {
    if (isOpen) await handle.close().catch(() => undefined);
  }
}

/** A file or folder, through links; undefined for other things and for what has gone since. */
async function entryOf(folder: string, name: string): Promise<StoreEntry | undefined> {
  const stats = await stat(join(folder, name)).catch(() => undefined);
  if (stats?.isDirectory()) return { name, kind: "folder" };
  return stats?.isFile() ? { name, kind: "file" } : undefined;
}
