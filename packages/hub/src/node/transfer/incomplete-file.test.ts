import { existsSync } from "node:fs";
import { appendFile, mkdtemp, readFile, readdir, rm, symlink, truncate, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { IncompleteFile } from "./incomplete-file.js";

let folder: string;
let path: string;
const notes = (): string => join(folder, "blobs", "abc.kto-ranges");

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "kto-hub-"));
  path = join(folder, "blobs", "abc.kto-incomplete");
});
afterEach(async () => rm(folder, { recursive: true }));

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const reopen = async (size = 10): Promise<readonly object[]> => {
  await using file = await IncompleteFile.open(path, size);
  return file.ranges.ranges;
};

it("takes up what an earlier run wrote, in any order, and gets its name at the end", async () => {
  {
    await using file = await IncompleteFile.open(path, 10);
    await file.write(bytes("fgh"), 5);
    await file.write(bytes("ab"), 0);
  }
  expect(await readFile(notes(), "utf8")).toBe("10\n5 8\n0 2\n");
  await using file = await IncompleteFile.open(path, 10);
  expect(await readFile(notes(), "utf8")).toBe("10\n0 2\n5 8\n");
  expect(file.ranges.missing(10, 100)).toEqual([{ start: 2, end: 5 }, { start: 8, end: 10 }]); // prettier-ignore
  await file.write(bytes("cde"), 2);
  await file.write(bytes("ij"), 8);
  await file.finish(join(folder, "blobs", "abc"));
  expect(await readFile(join(folder, "blobs", "abc"), "utf8")).toBe("abcdefghij");
  expect(await readdir(join(folder, "blobs"))).toEqual(["abc"]);
});

it("believes no note that cannot be true", async () => {
  {
    await using file = await IncompleteFile.open(path, 10);
    await file.write(bytes("abcdefgh"), 0);
  }
  await appendFile(notes(), "9 9999\nnonsense\n-1 3\n8 1"); // the last one was cut
  expect(await reopen()).toEqual([{ start: 0, end: 8 }]);
  await truncate(path, 4);
  expect(await reopen()).toEqual([{ start: 0, end: 4 }]);
  await rm(path);
  expect(await reopen()).toEqual([]);
  await writeFile(path, "abcdef");
  expect(await reopen()).toEqual([]); // bytes that nothing is known of
  expect(await readFile(path, "utf8")).toBe("");
});

it("begins again when the size is another, and when it is cleared", async () => {
  {
    await using file = await IncompleteFile.open(path, 10);
    await file.write(bytes("abc"), 0);
  }
  expect(await reopen(11)).toEqual([]);
  {
    await using file = await IncompleteFile.open(path, 11);
    await file.write(bytes("abc"), 0);
    await file.clear();
    await file.write(bytes("z"), 1);
  }
  expect(await reopen(11)).toEqual([{ start: 1, end: 2 }]);
});

it.runIf(existsSync("/dev/full"))("says what is needed when the disk is full", async () => {
  await reopen(2_500_000);
  await rm(path);
  await symlink("/dev/full", path); // every write to it finds the disk full
  await using file = await IncompleteFile.open(path, 2_500_000);
  await expect(file.write(bytes("abc"), 0)).rejects.toMatchObject({
    code: "HUB",
    reason: "noSpace",
    message: `hub: not enough room on the disk of ${join(folder, "blobs")}; expected 2.5 MB (2,500,000 bytes) more, got no space left; free some space or set HF_HUB_CACHE to a folder on another disk, and run it again: what was downloaded is kept`,
  });
  expect(file.ranges.byteLength).toBe(0);
});

it("names a place that cannot be written", async () => {
  await writeFile(join(folder, "blobs"), "a file");
  await expect(IncompleteFile.open(path, 1)).rejects.toMatchObject({ code: "HUB", reason: "cache", message: expect.stringContaining("set HF_HUB_CACHE to another folder") as string }); // prettier-ignore
});
