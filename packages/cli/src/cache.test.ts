import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

const [first, second] = ["a".repeat(64), "b".repeat(64)];

it("kto cache tells what is kept, and clears it, and nothing else", async () => {
  using folder = temporaryFolder();
  const env = { KTO_CACHE: folder.file("cache") };
  const none = await kto(["cache"], { env });
  expect(none).toEqual({ status: 0, stdout: `${folder.file("cache", "tokens")}\n0 entries, 0 B\n`, stderr: "" });
  mkdirSync(folder.file("cache", "tokens"), { recursive: true });
  const put = (name: string, size: number): void => writeFileSync(folder.file("cache", "tokens", name), "x".repeat(size));
  put(`${first}.rows`, 100);
  put(`${second}.tokens`, 3000);
  put(`${first}.${hostname()}.999999999.12345678.tmp`, 5);
  const others = [`${first}.${hostname()}.${process.pid}.12345678.tmp`, "notes.txt", "short.tokens"];
  for (const name of others) put(name, 1);
  const { status, stdout } = await kto(["cache"], { env });
  expect(status).toBe(0);
  expect(stdout.split("\n").slice(1)).toEqual([
    "3 entries, 3.03 KiB",
    expect.stringMatching(/^ {2}2\.93 KiB {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}b{12} {2}tokenised rows$/),
    expect.stringMatching(/^ {5}100 B {2}.* a{12} {2}where rows begin$/),
    expect.stringMatching(/^ {7}5 B {2}.* {2}left by a run that was killed$/),
    "",
  ]);
  const listed = JSON.parse((await kto(["cache", "--json"], { env })).stdout) as object;
  expect(listed).toEqual({
    path: folder.file("cache", "tokens"),
    bytes: 3105,
    entries: [
      {
        path: folder.file("cache", "tokens", `${second}.tokens`),
        kind: "tokens",
        bytes: 3000,
        written: expect.stringMatching(/^\d{4}-.*Z$/),
      },
      expect.objectContaining({ kind: "rows", bytes: 100 }),
      expect.objectContaining({ kind: "unfinished", bytes: 5 }),
    ],
    cleared: false,
  });
  const cleared = await kto(["cache", "--clear"], { env });
  expect(cleared.stdout).toMatch(/\nremoved 3 entries, 3\.03 KiB\n$/);
  expect(readdirSync(folder.file("cache", "tokens")).sort()).toEqual(others.sort());
  expect(JSON.parse((await kto(["cache", "--clear", "--json"], { env })).stdout)).toMatchObject({ bytes: 0, entries: [], cleared: true });
});

it("kto cache takes the folder that token_cache names, and refuses what is none", async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.file("file"), "");
  const wrong = await kto(["cache", "--token_cache", folder.file("file"), "--clear"]);
  expect(wrong.stderr).toMatch(/^kto: error\[SOURCE\]: cache: .*file cannot be read as a folder; expected a folder .*, got ENOTDIR/);
  expect(wrong.status).toBe(2);
  expect(existsSync(folder.file("file"))).toBe(true);
  mkdirSync(folder.file("mine"));
  writeFileSync(folder.file("mine", `${first}.tokens`), "1234");
  expect((await kto(["cache", "--token_cache", folder.file("mine")])).stdout).toMatch(/mine\n1 entry, 4 B\n/);
  expect((await kto(["cache", "everything"])).stderr).toMatch(/cache: not usable; expected flags alone, got everything/);
});
