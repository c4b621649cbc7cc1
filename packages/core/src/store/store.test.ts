import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { readExactly } from "../bytes/byte-source.js";
import { folderStore } from "../node/folder-store.js";
import type { Store } from "../store.js";
import { withFolder } from "../testing/folder.js";
import { MemoryFolder } from "../testing/memory-opfs.js";
import { memoryStore } from "./memory-store.js";
import { opfsStore } from "./opfs-store.js";

const kinds: Record<string, (use: (store: Store) => Promise<void>) => Promise<void>> = {
  memoryStore: (use) => use(memoryStore()),
  folderStore: (use) => withFolder((folder) => use(folderStore(join(folder, "outputs")))),
  opfsStore: (use) => use(opfsStore(new MemoryFolder("").handle)),
};

/** The text of a file, or undefined where there is none. */
async function read(store: Store, path: string): Promise<string | undefined> {
  const source = await store.open(path);
  if (!source) return undefined;
  const bytes = await readExactly(source, 0, source.byteLength);
  await source.dispose?.();
  return new TextDecoder().decode(bytes);
}

const names = async (store: Store, path?: string): Promise<string[]> => (await store.list(path)).map(({ name }) => name);
const lost = new Error("device lost");

describe.each(Object.entries(kinds))("%s", (_, withStore) => {
  it("writes text, bytes and pieces; makes folders on the way; replaces what was there", () =>
    withStore(async (store) => {
      expect(await store.list()).toEqual([]);
      expect(await store.open("a/b/c.txt")).toBeUndefined();
      await store.write("a/b/c.txt", "old and long");
      await store.write("a/b/c.txt", "ü");
      await store.write("bytes", Uint8Array.of(49, 50));
      await store.write("pieces", async (sink) => {
        const piece = new Uint8Array(1); // the sink has taken the bytes when it answers: the array may be used again
        for (const byte of [49, 50, 51]) {
          piece[0] = byte;
          await sink.write(piece);
        }
      });
      expect(await read(store, "a/b/c.txt")).toBe("ü");
      expect([await read(store, "bytes"), await read(store, "pieces")]).toEqual(["12", "123"]);
      expect(await store.list()).toEqual([
        { name: "a", kind: "folder" },
        { name: "bytes", kind: "file" },
        { name: "pieces", kind: "file" },
      ]);
      expect(await names(store, "a")).toEqual(["b"]);
      expect(await names(store, "none")).toEqual([]);
    }));

  it("takes the pieces of a Buffer too, which is filled again", () =>
    withStore(async (store) => {
      await store.write("pieces", async (sink) => {
        const piece = Buffer.alloc(1);
        for (const byte of [49, 50, 51]) {
          piece[0] = byte;
          await sink.write(piece);
        }
      });
      expect(await read(store, "pieces")).toBe("123");
    }));

  it("keeps what was there, and no half file, when a write fails", () =>
    withStore(async (store) => {
      const half = async (sink: { write(bytes: Uint8Array): Promise<void> }): Promise<void> => {
        await sink.write(new Uint8Array(10));
        throw lost;
      };
      await store.write("file", "old");
      await expect(store.write("file", half)).rejects.toBe(lost);
      await expect(store.write("new", half)).rejects.toBe(lost);
      expect(await read(store, "file")).toBe("old");
      expect(await names(store)).toEqual(["file"]);
    }));

  it("appends", () =>
    withStore(async (store) => {
      await store.append("run/metrics.jsonl", "{}\n");
      await store.append("run/metrics.jsonl", new TextEncoder().encode("[]\n"));
      expect(await read(store, "run/metrics.jsonl")).toBe("{}\n[]\n");
    }));

  it("fills a folder whole or not at all, in place of another", () =>
    withStore(async (store) => {
      await store.writeFolder("checkpoint-5", async (folder) => {
        await folder.write("old", "1");
        expect(await names(store)).toEqual([]);
      });
      const failing = store.writeFolder("checkpoint-5", async (folder) => {
        await folder.write("half", "2");
        throw lost;
      });
      await expect(failing).rejects.toBe(lost);
      expect(await names(store, "checkpoint-5")).toEqual(["old"]);
      await store.writeFolder("checkpoint-5", async (folder) => {
        await folder.write("inner/new", "3");
        await folder.append("log", "4");
      });
      expect(await names(store)).toEqual(["checkpoint-5"]);
      expect(await names(store, "checkpoint-5")).toEqual(["inner", "log"]);
      expect(await read(store, "checkpoint-5/inner/new")).toBe("3");
    }));

  it("gives a folder as a store of its own, and removes files and folders", () =>
    withStore(async (store) => {
      const run = store.folder("runs/1");
      expect(await run.list()).toEqual([]);
      await run.write("a", "1");
      await run.write("b/c", "2");
      expect(await read(store, "runs/1/b/c")).toBe("2");
      await store.remove("runs/1/b");
      await run.remove("none");
      expect(await names(run)).toEqual(["a"]);
      await run.remove("a");
      expect(await run.open("a")).toBeUndefined();
    }));

  it("refuses paths that leave it, and does not remove itself", () =>
    withStore(async (store) => {
      for (const path of ["../x", "/x", "a//b", "", ".", "a\\b"]) {
        await expect((async () => store.write(path, ""))()).rejects.toMatchObject({ code: "ARGUMENT" });
        await expect((async () => store.remove(path))()).rejects.toThrow(/is no path in a store; expected a relative one/);
      }
    }));
});

describe("opfsStore", () => {
  it("says that the site has no more room, and leaves what was there", async () => {
    const root = new MemoryFolder("", { left: 12 });
    const store = opfsStore(root.handle, "outputs");
    await store.write("file", "old");
    await store.append("log", "one\n");
    await expect(store.write("file", "much longer than that")).rejects.toMatchObject({
      code: "WRITE",
      reason: "QuotaExceededError",
      path: "outputs/file",
      message: expect.stringMatching(/^write: outputs\/file was not written; .*; the browser gives this site no more room/),
    });
    await expect(store.append("log", "two\n")).rejects.toMatchObject({ code: "WRITE" });
    await expect(store.append("new", "two\n")).rejects.toMatchObject({ code: "WRITE" });
    expect([await read(store, "file"), await read(store, "log")]).toEqual(["old", "one\n"]);
    expect(await names(store)).toEqual(["file", "log"]);
  });

  it("neither lists nor opens a folder that a closed page left half replaced, and replaces it the next time", async () => {
    const root = new MemoryFolder("");
    const store = opfsStore(root.handle);
    await store.write("checkpoint-5/half", "1");
    await root.getFileHandle("checkpoint-5.replacing", { create: true });
    await root.getDirectoryHandle("checkpoint-6.partial", { create: true });
    expect(await store.list()).toEqual([]);
    expect(await store.list("checkpoint-5")).toEqual([]);
    expect(await store.open("checkpoint-5/half")).toBeUndefined();
    await store.writeFolder("checkpoint-5", (folder) => folder.write("whole", "2"));
    expect(await names(store, "checkpoint-5")).toEqual(["whole"]);
  });
});
