import { readFileSync } from "node:fs";
import { join } from "node:path";
import { transformSync } from "esbuild";
import { describe, expect, it } from "vitest";
import { bundleForBrowser, packagesLoadedFirst } from "./browser-bundle.js";
import { entriesOf, listPackages, ROOT } from "./workspace.js";

const entries = listPackages().flatMap(entriesOf);

describe.each(entries.filter(({ browser }) => browser))("$specifier in a browser", ({ specifier }) => {
  it("imports nothing of Node's, and no webgpu", async () => {
    expect((await bundleForBrowser(specifier)).forbidden).toEqual([]);
  });

  it("names no process, Buffer or require", async () => {
    const ours = (await bundleForBrowser(specifier)).files.filter((path) => path.startsWith("packages/"));
    const code = (path: string): string =>
      transformSync(readFileSync(join(ROOT, path), "utf8"), { loader: "ts", minifyWhitespace: true }).code;
    expect(ours.filter((path) => /(?<![\w$.])(process|Buffer|require|__dirname)[.([]/.test(code(path)))).toEqual([]);
  });
});

it("finds an entry that is for Node only, so the checks above can fail", async () => {
  expect((await bundleForBrowser("@kto/software-gpu")).forbidden).toContain(
    "node:worker_threads, from packages/software-gpu/src/install.ts",
  );
});

it.each(entries.filter(({ specifier }) => specifier !== "@kto/cli"))("$specifier has no side effect on import", async ({ specifier }) => {
  const before = Reflect.ownKeys(globalThis);
  await import(/* @vite-ignore */ specifier);
  const added = Reflect.ownKeys(globalThis).filter((key) => !before.includes(key));
  const shared = /^(__zod_|Symbol\(undici\.)/; // what zod's copies share, its settings and metadata; what Node sets when its Request is first named
  expect(added.filter((key) => !shared.test(String(key)))).toEqual([]);
});

it("core brings zod with its configs alone", async () => {
  const files = async (specifier: string): Promise<string> => (await bundleForBrowser(specifier)).files.join("\n");
  expect(await files("@kto/core")).not.toContain("zod");
  expect(await files("@kto/core/config")).toContain("zod/v4/mini");
});

it("a page that loads a data set loads Parquet's decoder and YAML only for a file that needs them", async () => {
  expect([...(await packagesLoadedFirst("@kto/datasets", ["loadDataset"]))]).toEqual([]);
  expect([...(await packagesLoadedFirst("@kto/tokenizer", ["Tokenizer"]))].length).toBeGreaterThan(0); // so the check above can fail
});
