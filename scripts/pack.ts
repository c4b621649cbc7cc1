import { mkdirSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { ROOT } from "../packages/testing/src/structure/workspace.js";
import { packAll, type Pack } from "./packs/stage.js";

// Packs every published package into release/, as npm would publish it. Needs a build, which `npm run packs` makes.

/** Packs into release/ of the repository, which is emptied first; prints what it made. */
export function packRelease(): Pack[] {
  const folder = join(ROOT, "release");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  const packs = packAll(folder);
  rmSync(join(folder, "staged"), { recursive: true });
  for (const { tarball, size } of packs) console.log(`${relative(ROOT, tarball)}  ${(size / 1000).toFixed(1)} kB`);
  return packs;
}

if (import.meta.filename === process.argv[1]) packRelease();
