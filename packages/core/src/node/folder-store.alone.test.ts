import * as fs from "node:fs/promises";
import { join } from "node:path";
import { afterEach, expect, it, vi } from "vitest";
import { WriteError } from "../errors.js";
import { withFolder } from "../testing/folder.js";
import { fileDirectory } from "./file-directory.js";
import { folderStore } from "./folder-store.js";

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return { ...original, open: vi.fn(original.open), rename: vi.fn(original.rename) };
});
afterEach(() => vi.restoreAllMocks());

/** Error as the file system gives it. */
const systemError = (code: string, syscall: string): Error => Object.assign(new Error(`${code}: ${syscall}`), { code, syscall });

/** The next file opened writes `room` bytes, then fails. */
async function limitNextFile(room: number, code: string): Promise<void> {
  const { open } = await vi.importActual<typeof fs>("node:fs/promises");
  vi.mocked(fs.open).mockImplementationOnce(async (...args) => {
    const handle = await open(...args);
    const write = handle.write.bind(handle) as unknown as (
      bytes: Uint8Array,
      offset: number,
      length: number,
    ) => Promise<{ bytesWritten: number }>;
    handle.write = (async (bytes: Uint8Array, offset: number, length: number) => {
      if (room <= 0) throw systemError(code, "write");
      const result = await write(bytes, offset, Math.min(length, room));
      room -= result.bytesWritten;
      return result;
    }) as unknown as typeof handle.write;
    return handle;
  });
}

it("cuts off what was appended before the disk was full: no half line", async () => {
  await withFolder(async (folder) => {
    const store = folderStore(folder);
    const path = join(folder, "metrics.jsonl");
    await store.append("metrics.jsonl", '{"step":1}\n');
    await limitNextFile(4, "ENOSPC");
    const error = (await store.append("metrics.jsonl", '{"step":2}\n').catch((caught: unknown) => caught)) as WriteError;
    expect(error).toBeInstanceOf(WriteError);
    expect(error).toMatchObject({ code: "WRITE", reason: "ENOSPC", path });
    expect(error.message).toBe(
      `append: ${path} was not written; expected write to succeed, got ENOSPC: the disk is full; free some space and save again; what was there before is unchanged`,
    );
    expect(await fs.readFile(path, "utf8")).toBe('{"step":1}\n');
    await limitNextFile(4, "ENOSPC");
    await expect(store.append("new.jsonl", '{"step":2}\n')).rejects.toBeInstanceOf(WriteError);
    expect(await fs.readdir(folder)).toEqual(["metrics.jsonl"]);
  });
});

it("leaves the old file and folder when the disk is full or a rename is refused", async () => {
  await withFolder(async (folder) => {
    const store = folderStore(folder);
    await store.write("file", "old");
    await limitNextFile(4, "ENOSPC");
    await expect(store.write("file", "longer than that")).rejects.toMatchObject({ reason: "ENOSPC", path: join(folder, "file") });
    await store.writeFolder("checkpoint-5", (inner) => inner.write("x", "old"));
    const { rename } = await vi.importActual<typeof fs>("node:fs/promises");
    vi.mocked(fs.rename)
      .mockImplementationOnce(rename) // the old one goes aside
      .mockRejectedValueOnce(systemError("EACCES", "rename"));
    await expect(store.writeFolder("checkpoint-5", (inner) => inner.write("x", "new"))).rejects.toMatchObject({
      code: "WRITE",
      reason: "EACCES",
      path: join(folder, "checkpoint-5"),
    });
    expect(await fs.readdir(folder)).toEqual(["checkpoint-5", "file"]);
    expect(await fs.readFile(join(folder, "checkpoint-5", "x"), "utf8")).toBe("old");
    expect(await fs.readFile(join(folder, "file"), "utf8")).toBe("old");
  });
});

it("does not list what a killed process left, and clears it when the folder is written again", async () => {
  await withFolder(async (folder) => {
    const store = folderStore(folder);
    await fs.mkdir(join(folder, "checkpoint-5.partial"));
    await fs.writeFile(join(folder, "checkpoint-5.partial", "half"), "x");
    await fs.writeFile(join(folder, "adapter.safetensors.0123abcd.tmp"), "x");
    expect(await store.list()).toEqual([]);
    await store.writeFolder("checkpoint-5", (inner) => inner.write("whole", "y"));
    expect(await store.list("checkpoint-5")).toEqual([{ name: "whole", kind: "file" }]);
    expect(await fs.readdir(folder)).toEqual(["adapter.safetensors.0123abcd.tmp", "checkpoint-5"]);
  });
});

it("says that a part of the path is a file", async () => {
  await withFolder(async (folder) => {
    await fs.writeFile(join(folder, "file"), "x");
    await expect(folderStore(join(folder, "file")).write("a", "x")).rejects.toMatchObject({ code: "WRITE", reason: "EEXIST" });
    await expect(folderStore(folder).write("file/inside/a", "x")).rejects.toThrow(
      /got ENOTDIR: a part of the path is a file; choose another path/,
    );
    expect(await folderStore(folder).open("file/a")).toBeUndefined();
  });
});

it("lists the files of a folder with their sizes", async () => {
  await withFolder(async (folder) => {
    await folderStore(folder).write("data/train.jsonl", "{}\n");
    expect(await fileDirectory(folder).list()).toEqual([{ path: "data/train.jsonl", size: 3 }]);
    await expect(fileDirectory(join(folder, "none")).list()).rejects.toMatchObject({ code: "SOURCE", reason: "ENOENT" });
  });
});

it("says what the disk has left, also for a folder that is not there yet", async () => {
  await withFolder(async (folder) => {
    const { bavail, bsize } = await fs.statfs(folder);
    const free = (await folderStore(join(folder, "not", "yet")).freeBytes?.()) ?? 0;
    expect(Math.abs(free - bavail * bsize)).toBeLessThan(2 ** 30); // others write to the disk meanwhile
    expect(free).toBeGreaterThan(0);
  });
});
