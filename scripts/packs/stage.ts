import { execFileSync } from "node:child_process";
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { listPackages, type Package } from "../../packages/testing/src/structure/workspace.js";

/** A package as npm would publish it. */
export interface Pack {
  name: string;
  /** Folder of the package in the workspace. */
  source: string;
  /** Folder that was packed: what a user gets. */
  staged: string;
  tarball: string;
  /** Bytes of the tarball. */
  size: number;
  unpackedSize: number;
  files: string[];
}

/** The packages that are published, those that others depend on first. */
export function publishedPackages(): Package[] {
  const packages = listPackages().filter(({ manifest }) => !manifest.private);
  const ordered = new Map<string, Package>();
  const visit = (name: string): void => {
    const found = packages.find((candidate) => candidate.name === name);
    if (!found || ordered.has(name)) return;
    Object.keys(found.manifest.dependencies ?? {}).forEach(visit);
    ordered.set(name, found);
  };
  packages.forEach(({ name }) => visit(name));
  return [...ordered.values()];
}

/**
 * Packs every published package into `folder`, from copies below `folder/staged`: the manifest there has no `@kto/source` conditions, which name
 * sources that are not published, and nothing that is for the workspace alone. Needs a build.
 */
export function packAll(folder: string): Pack[] {
  const packages = publishedPackages().map((entry) => ({ entry, staged: join(folder, "staged", entry.name) }));
  for (const { entry, staged } of packages) {
    mkdirSync(staged, { recursive: true });
    for (const name of ["dist", "bin", "README.md", "LICENSE", "CHANGELOG.md", ...extraFiles(entry)]) {
      if (existsSync(join(entry.folder, name))) cpSync(join(entry.folder, name), join(staged, name), { recursive: true });
    }
    if (!existsSync(join(staged, "dist"))) throw new Error(`packAll: ${entry.name} has no dist; expected a build; run npm run build`);
    writeFileSync(join(staged, "package.json"), `${JSON.stringify(publishedManifest(entry), undefined, 2)}\n`);
  }
  const folders = packages.map(({ staged }) => staged); // all by one npm, whose start takes longer than packing
  const packed = execFileSync("npm", ["pack", "--json", "--ignore-scripts", "--pack-destination", folder, ...folders], {
    encoding: "utf8",
  });
  const made = JSON.parse(packed) as { name: string; filename: string; size: number; unpackedSize: number; files: { path: string }[] }[];
  return packages.map(({ entry, staged }) => {
    const { filename, size, unpackedSize, files } = made.find(({ name }) => name === entry.name)!;
    const tarball = join(folder, filename.replace("@", "").replace("/", "-"));
    return { name: entry.name, source: entry.folder, staged, tarball, size, unpackedSize, files: files.map(({ path }) => path) };
  });
}

/** Files beside `dist` and `bin` that a manifest's `files` lists. */
function extraFiles({ manifest }: Package): string[] {
  return ((manifest as { files?: string[] }).files ?? []).filter((name) => name !== "dist" && name !== "bin");
}

/** The manifest without the workspace's own: conditions of sources, scripts, what tests need. */
export function publishedManifest({ folder }: Package): Record<string, unknown> {
  const {
    scripts: _scripts,
    devDependencies: _devDependencies,
    ...manifest
  } = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Record<string, unknown>;
  return withoutSource(manifest) as Record<string, unknown>;
}

function withoutSource(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSource);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([key, entry]) => key !== "@kto/source" && !isSourceAlone(entry));
  return Object.fromEntries(entries.map(([key, entry]) => [key, withoutSource(entry)]));
}

/** An export that the workspace alone has: its only condition is that of sources. */
function isSourceAlone(entry: unknown): boolean {
  return typeof entry === "object" && entry !== null && Object.keys(entry).join() === "@kto/source";
}
