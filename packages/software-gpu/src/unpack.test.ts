import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { cacheRoots, FILES, findArchive, unpackOnce } from "./unpack.js";

let scratch: string;
beforeEach(() => {
  scratch = mkdtempSync(join(tmpdir(), "kto-unpack-"));
});
afterEach(() => rmSync(scratch, { recursive: true, force: true }));

describe("findArchive", () => {
  it("finds the archive of the installed package", () => {
    expect(statSync(findArchive(import.meta.url)).size).toBeGreaterThan(1e6);
  });

  it("names the package and the command that mends it", () => {
    const elsewhere = pathToFileURL(join(scratch, "module.js"));
    expect(() => findArchive(elsewhere)).toThrow(expect.objectContaining({ code: "CAPABILITY", missing: "@sparticuz/chromium" }) as Error);
    expect(() => findArchive(elsewhere)).toThrow(/npm install --save-dev @sparticuz\/chromium/);
  });
});

describe("cacheRoots", () => {
  it("prefers XDG_CACHE_HOME, then ~/.cache, and ends with a temporary folder of the user's own", () => {
    expect(cacheRoots({ XDG_CACHE_HOME: "/caches", HOME: "/home/ada" })[0]).toBe("/caches/kto/software-gpu");
    expect(cacheRoots({ XDG_CACHE_HOME: "relative", HOME: "/home/ada" })[0]).toBe("/home/ada/.cache/kto/software-gpu");
    expect(cacheRoots({ HOME: "/home/ada" })[1]).toBe(join(tmpdir(), `kto-software-gpu-${process.getuid!()}`));
    expect(cacheRoots({})).toEqual([join(tmpdir(), `kto-software-gpu-${process.getuid!()}`)]);
  });
});

describe("unpackOnce", () => {
  const archive = findArchive(import.meta.url);

  it("unpacks loader, driver and icd, leaves nothing aside, and uses them again", async () => {
    const root = join(scratch, "deep", "root");
    const folder = await unpackOnce(archive, [root]);
    expect(readdirSync(folder).sort()).toEqual(Object.values(FILES).sort());
    expect(JSON.parse(readFileSync(join(folder, FILES.icd), "utf8"))).toMatchObject({ ICD: { library_path: `./${FILES.driver}` } });
    const made = statSync(join(folder, FILES.driver)).mtimeMs;
    expect(await unpackOnce(archive, [root])).toBe(folder);
    expect(statSync(join(folder, FILES.driver)).mtimeMs).toBe(made);
    expect(readdirSync(root)).toHaveLength(1);
  });

  it("may be done by many at once", async () => {
    const folders = await Promise.all(Array.from({ length: 4 }, () => unpackOnce(archive, [scratch])));
    expect(new Set(folders).size).toBe(1);
    expect(readdirSync(scratch)).toHaveLength(1);
  });

  it("takes the next folder when one cannot be made, and says what it tried when none can", async () => {
    const file = join(scratch, "a-file");
    writeFileSync(file, "");
    const folder = await unpackOnce(archive, [join(file, "cache"), join(scratch, "second")]);
    expect(folder.startsWith(join(scratch, "second"))).toBe(true);
    await expect(unpackOnce(archive, [join(file, "cache")])).rejects.toThrow(
      /no folder to unpack into .* tried .*a-file\/cache; set XDG_CACHE_HOME/,
    );
  });

  it("says so when the archive is missing or damaged", async () => {
    await expect(unpackOnce(join(scratch, "none.tar.br"), [scratch])).rejects.toMatchObject({
      code: "CAPABILITY",
      missing: "swiftshader.tar.br",
    });
    const cut = join(scratch, "cut.tar.br");
    writeFileSync(cut, readFileSync(archive).subarray(0, 1000));
    await expect(unpackOnce(cut, [join(scratch, "out")])).rejects.toThrow();
    expect(readdirSync(join(scratch, "out"))).toEqual([]);
  });
});
