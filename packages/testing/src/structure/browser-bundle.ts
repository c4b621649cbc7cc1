import { builtinModules } from "node:module";
import { build, type BuildOptions, type Metafile, type Plugin } from "esbuild";
import { ROOT } from "./workspace.js";

const NODE_MODULES = new Set(builtinModules);
const isForNode = (specifier: string): boolean => /^(node:|webgpu$|webgpu\/)/.test(specifier) || NODE_MODULES.has(specifier);

/** From source, for a browser, in memory. */
const forBrowser = {
  absWorkingDir: ROOT,
  bundle: true,
  write: false,
  metafile: true,
  platform: "browser",
  format: "esm",
  target: "es2022",
  conditions: ["@kto/source"],
  logLevel: "silent",
} satisfies BuildOptions & { metafile: true; write: false };

export interface BrowserBundle {
  code: string;
  /** Imports of `node:*`, of Node's modules without that prefix, or of `webgpu`: `"node:fs, from packages/tensor/src/index.ts"`. */
  forbidden: string[];
  /** Files that went into it, as paths from the root of the repository. */
  files: string[];
}

/** Bundles `import * from specifier` for a browser, from source, and says what in it a browser cannot load. */
export async function bundleForBrowser(specifier: string): Promise<BrowserBundle> {
  const leaveOut: Plugin = {
    name: "leave out what is for Node",
    setup: ({ onResolve }) => onResolve({ filter: /^[^.#/]/ }, ({ path }) => (isForNode(path) ? { path, external: true } : undefined)),
  };
  const result = await build({
    ...forBrowser,
    stdin: { contents: `export * from "${specifier}";`, resolveDir: ROOT },
    plugins: [leaveOut],
  });
  const inputs = Object.entries(result.metafile.inputs);
  return { code: result.outputFiles[0]!.text, forbidden: forbiddenIn(inputs), files: inputs.map(([path]) => path) };
}

/** Packages that a page loads before anything is asked of `names` of `specifier`: what only a dynamic import reaches is left out. */
export async function packagesLoadedFirst(specifier: string, names: readonly string[]): Promise<Set<string>> {
  const { metafile } = await build({
    ...forBrowser,
    stdin: { contents: `export { ${names.join(", ")} } from "${specifier}";`, resolveDir: ROOT },
    splitting: true,
    outdir: "bundle",
  });
  const first = Object.keys(metafile.outputs).find((path) => metafile.outputs[path]!.entryPoint === "<stdin>")!;
  const open = [first];
  for (const path of open)
    for (const { path: next, kind } of metafile.outputs[path]!.imports)
      if (kind === "import-statement" && !open.includes(next)) open.push(next);
  const inputs = open.flatMap((path) => Object.keys(metafile.outputs[path]!.inputs));
  return new Set(inputs.flatMap((path) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(path)?.[1] ?? []));
}

function forbiddenIn(inputs: [string, Metafile["inputs"][string]][]): string[] {
  return inputs.flatMap(([from, { imports }]) =>
    imports.filter(({ path, external }) => external && isForNode(path)).map(({ path }) => `${path}, from ${from}`),
  );
}
