import { cpSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const cli = fileURLToPath(new URL("../..", import.meta.url));
const mpi = fileURLToPath(new URL("../../../mpi", import.meta.url));

/** What cannot be bundled: parts of these are not JavaScript. Linked to as installed. */
const linked = ["koffi", "webgpu", "@sparticuz/chromium"];

/**
 * Lays `kto` out in a folder as it is where it was installed, `@kto/mpi` beside it, made of the source as it is now: it starts in a tenth of the time that the
 * source takes.
 */
export async function installKto(folder: string): Promise<void> {
  const modules = join(folder, "node_modules");
  for (const name of linked) {
    mkdirSync(dirname(join(modules, name)), { recursive: true });
    symlinkSync(packageFolder(name), join(modules, name));
  }
  await bundle(join(cli, "src/bin.ts"), join(folder, "dist"));
  await bundle(join(mpi, "src/index.ts"), join(modules, "@kto/mpi/dist"));
  for (const [from, to] of [
    [cli, folder],
    [mpi, join(modules, "@kto/mpi")],
  ] as const)
    // prettier-ignore
    cpSync(join(from, "package.json"), join(to, "package.json"));
}

/** A copy of an installation with something else about it. */
export function installedOtherwise(from: string, to: string, { mpi, version }: { mpi?: false; version?: string }): string {
  cpSync(from, to, { recursive: true, verbatimSymlinks: true });
  if (mpi === false) rmSync(join(to, "node_modules/@kto/mpi"), { recursive: true });
  if (version !== undefined) {
    const manifest = JSON.parse(readFileSync(join(to, "package.json"), "utf8")) as object;
    writeFileSync(join(to, "package.json"), JSON.stringify({ ...manifest, version }));
  }
  return to;
}

async function bundle(entry: string, outdir: string): Promise<void> {
  await build({
    entryPoints: [entry],
    outdir,
    bundle: true,
    splitting: true,
    format: "esm",
    platform: "node",
    target: "node20",
    conditions: ["@kto/source"],
    external: [...linked, "@kto/mpi"],
    logLevel: "error",
  });
}

function packageFolder(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  const end = entry.lastIndexOf(join("node_modules", name));
  return entry.slice(0, end + join("node_modules", name).length);
}
