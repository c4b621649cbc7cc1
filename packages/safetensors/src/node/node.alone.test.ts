import * as fs from "node:fs/promises";
import { join } from "node:path";
import { FormatError, SourceError, WriteError } from "@kto/core";
import { fileSource, fileDirectory } from "@kto/core/node";
import { afterEach, describe, expect, it, vi } from "vitest";
import { fixtures, withFolder } from "../testing/fixtures.js";
import { asTypedArray } from "../typed-array.js";
import { openModelDir, openSafetensorsFile } from "./open.js";
import { writeSafetensorsFile } from "./write-file.js";

vi.mock("node:fs/promises", async (importOriginal) => {
  const original = await importOriginal<typeof fs>();
  return { ...original, open: vi.fn(original.open), rename: vi.fn(original.rename) };
});
afterEach(() => vi.restoreAllMocks());

const numbers = Float32Array.of(1, 2, 3);
const tensors = { x: { dtype: "F32", shape: [3], data: numbers } } as const;

/** Error as the file system gives it. */
const systemError = (code: string, syscall: string): Error => Object.assign(new Error(`${code}: ${syscall}`), { code, syscall });

/** The next file opened writes `room` bytes, at most five at once, then fails with `code`. */
async function limitNextFile(room: number, code: string): Promise<void> {
  const { open } = await vi.importActual<typeof fs>("node:fs/promises");
  vi.mocked(fs.open).mockImplementationOnce(async (...args) => {
    const handle = await open(...args);
    const write = handle.write.bind(handle) as (
      bytes: Uint8Array,
      offset: number,
      length: number,
    ) => Promise<{ bytesWritten: number; buffer: Uint8Array }>;
    handle.write = (async (bytes: Uint8Array, offset: number, length: number) => {
      if (room <= 0) throw systemError(code, "write");
      const result = await write(bytes, offset, Math.min(length, 5, room));
      room -= result.bytesWritten;
      return result;
    }) as typeof handle.write;
    return handle;
  });
}

describe("reading files", () => {
  it("opens the model folders of the fixtures, single and sharded, with the same tensors", async () => {
    const bf16 = await openModelDir(join(fixtures, "model-bf16"));
    const sharded = await openModelDir(join(fixtures, "model-sharded"));
    expect(sharded.fileNames).toHaveLength(4);
    expect(sharded.totalBytes).toBe(304_256);
    expect([...sharded.tensors.keys()].sort()).toEqual([...bf16.tensors.keys()].sort());
    for (const name of bf16.tensors.keys()) expect(Buffer.compare((await bf16.read(name)).data, (await sharded.read(name)).data)).toBe(0);
    await bf16.dispose();
    await sharded.dispose();
    await expect(sharded.read("lm_head.weight")).rejects.toBeInstanceOf(SourceError);
  });

  it("says what is wrong with a path", async () => {
    await withFolder(async (folder) => {
      await expect(fileSource(join(folder, "none"))).rejects.toMatchObject({ code: "SOURCE", reason: "ENOENT" });
      await expect(fileSource(folder)).rejects.toThrow(/is no regular file/);
      await expect(openModelDir(join(folder, "none"))).rejects.toThrow(/no such folder/);
      await expect(openModelDir(folder)).rejects.toBeInstanceOf(FormatError);
      await fs.writeFile(join(folder, "bad.safetensors"), "hello");
      await expect(openModelDir(join(folder, "bad.safetensors"))).rejects.toThrow(/is no folder; .*; check the path/);
      for (const [name, kind] of [
        ["model.gguf", "GGUF"],
        ["pytorch_model.bin", "pickle"],
      ] as const) {
        await fs.writeFile(join(folder, name), "hello");
        const message = `${name}: is no folder; expected a model folder with model.safetensors; ${kind} files are not read, take the model's safetensors`;
        await expect(openModelDir(join(folder, name))).rejects.toThrow(message);
        await expect(fileDirectory(join(folder, name)).open("config.json")).rejects.toThrow(message);
      }
      await expect(openSafetensorsFile(join(folder, "bad.safetensors"))).rejects.toThrow(/bad\.safetensors: too short/);
    });
  });

  it("notices a file that became shorter", async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "x.safetensors");
      await writeSafetensorsFile(path, tensors);
      const file = await openSafetensorsFile(path);
      await fs.truncate(path, 70);
      await expect(file.read("x")).rejects.toThrow(/became shorter while it was read/);
      await file.dispose();
    });
  });
});

describe("writing files", () => {
  it("round trip, metadata included, and replaces what was there", async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "x.safetensors");
      await fs.writeFile(path, "old");
      const written = await writeSafetensorsFile(path, tensors, { metadata: { format: "pt" } });
      expect((await fs.stat(path)).size).toBe(written);
      const file = await openSafetensorsFile(path);
      expect(asTypedArray((await file.read("x")).data, "F32")).toEqual(numbers);
      expect(file.metadata.format).toBe("pt");
      await file.dispose();
      expect(await fs.readdir(folder)).toEqual(["x.safetensors"]);
    });
  });

  it("goes on after a short write", async () => {
    await withFolder(async (folder) => {
      await limitNextFile(Infinity, "");
      await writeSafetensorsFile(join(folder, "x.safetensors"), tensors);
      const file = await openSafetensorsFile(join(folder, "x.safetensors"));
      expect(asTypedArray((await file.read("x")).data, "F32")).toEqual(numbers);
      await file.dispose();
    });
  });

  it("on a full disk gives one clear error and leaves the old file", async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "x.safetensors");
      await fs.writeFile(path, "old");
      await limitNextFile(40, "ENOSPC");
      const error = (await writeSafetensorsFile(path, tensors).catch((caught: unknown) => caught)) as WriteError;
      expect(error).toBeInstanceOf(WriteError);
      expect(error).toMatchObject({ code: "WRITE", reason: "ENOSPC", path });
      expect(error.message).toMatch(/the disk is full; free some space and save again; what was there before is unchanged/);
      expect((error.cause as Error).message).toBe("ENOSPC: write");
      expect(await fs.readFile(path, "utf8")).toBe("old");
      expect(await fs.readdir(folder)).toEqual(["x.safetensors"]);
    });
  });

  it("cleans up when the last step fails", async () => {
    await withFolder(async (folder) => {
      vi.mocked(fs.rename).mockRejectedValueOnce(systemError("EACCES", "rename"));
      await expect(writeSafetensorsFile(join(folder, "x.safetensors"), tensors)).rejects.toMatchObject({ reason: "EACCES" });
      expect(await fs.readdir(folder)).toEqual([]);
    });
  });

  it("cleans up when a tensor is wrong or making it fails, and passes that error on", async () => {
    await withFolder(async (folder) => {
      const path = join(folder, "x.safetensors");
      await fs.writeFile(path, "old");
      const lost = new Error("device lost");
      const lazy = (data: () => Promise<Float32Array>): Promise<number> => writeSafetensorsFile(path, { x: { ...tensors.x, data } });
      await expect(lazy(() => Promise.reject(lost))).rejects.toBe(lost);
      await expect(lazy(async () => numbers.subarray(1))).rejects.toBeInstanceOf(FormatError);
      const signal = AbortSignal.abort("enough"); // a reason need not be an error
      await expect(writeSafetensorsFile(path, tensors, { signal })).rejects.toBe("enough");
      expect(await fs.readFile(path, "utf8")).toBe("old");
      expect(await fs.readdir(folder)).toEqual(["x.safetensors"]);
    });
  });

  it("says that the folder does not exist", async () => {
    await withFolder(async (folder) => {
      await expect(writeSafetensorsFile(join(folder, "none", "x.safetensors"), tensors)).rejects.toThrow(
        /the folder does not exist; create it first/,
      );
    });
  });
});
