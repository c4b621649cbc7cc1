import { readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import ts from "typescript";

/** Root folder of the repository, with a slash at its end. */
export const ROOT: string = fileURLToPath(new URL("../../../../", import.meta.url));

/** Packages that only Node can use; the entries of all others are for browsers too, except `./node`. */
export const NODE_ONLY: ReadonlySet<string> = new Set(["@kto/cli", "@kto/mpi", "@kto/software-gpu"]);

export interface Manifest {
  name: string;
  private?: boolean;
  sideEffects?: boolean;
  exports?: Record<string, string | Record<string, string>>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
}

export interface Package {
  name: string;
  /** Absolute path of its folder. */
  folder: string;
  manifest: Manifest;
}

/** Every package of packages/, by name of its folder. */
export function listPackages(): Package[] {
  const folders = readdirSync(join(ROOT, "packages")).map((name) => join(ROOT, "packages", name));
  return folders.map((folder) => {
    const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;
    return { name: manifest.name, folder, manifest };
  });
}

export interface Entry {
  /** What is imported: `@kto/lora`, `@kto/lora/node`. */
  specifier: string;
  /** Its key in `exports`: `.`, `./node`. */
  path: string;
  /** False for `./node` and for the packages that only Node can use. */
  browser: boolean;
}

/** The entries of a package that hold code and are published: one that is source alone is for the workspace, and others are files as they are. */
export function entriesOf({ name, manifest }: Package): Entry[] {
  const paths = Object.entries(manifest.exports ?? {}).flatMap(([path, target]) =>
    typeof target === "object" && "types" in target ? [path] : [],
  );
  return paths.map((path) => ({ specifier: name + path.slice(1), path, browser: path !== "./node" && !NODE_ONLY.has(name) }));
}

export interface SourceFile {
  /** Path from the root of the repository. */
  path: string;
  text: string;
}

/**
 * A test, or what tests share: `x.test.ts`, and everything below `src/testing/`. Neither built nor packed. Of `@kto/testing` only its two entries, its checks and its
 * tolerances are published.
 */
export const isForTests = (path: string): boolean =>
  /\.test\.ts$|(^|\/src\/)testing\//.test(path) || /^packages\/testing\/src\/(?!index\.ts|node\.ts|tolerances\.ts|check\/)/.test(path);

/** TypeScript files below a folder of the repository (absolute path), without tests and their support unless asked for. */
export function sourceFiles(folder: string, { tests = false }: { tests?: boolean } = {}): SourceFile[] {
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => path.endsWith(".ts") && !path.endsWith(".d.ts") && !/(^|\/)(node_modules|dist)\//.test(path))
    .filter((path) => tests || !isForTests(path))
    .map((path) => ({ path: relative(ROOT, join(folder, path)), text: readFileSync(join(folder, path), "utf8") }));
}

/** What a file imports, types included: `["./shape.js", "@kto/tensor", "node:fs"]`. */
export function importsOf({ text }: SourceFile): string[] {
  return ts.preProcessFile(text, true, true).importedFiles.map((file) => file.fileName);
}

/** `@kto/lora/node` → `@kto/lora`, `yaml/x` → `yaml`; undefined for a relative import, `#platform` and Node's own modules. */
export function packageOf(specifier: string): string | undefined {
  if (/^[.#/]/.test(specifier) || specifier.startsWith("node:")) return undefined;
  return specifier.split("/", specifier.startsWith("@") ? 2 : 1).join("/");
}
