import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { ROOT } from "../packages/testing/src/structure/workspace.js";
import { packRelease } from "./pack.js";

// npm run release                 builds, checks and packs every package into release/; publishes nothing
// npm run release -- --publish    the same, then publishes, with provenance: for the release workflow, which alone can prove where they come from
const { values } = parseArgs({ options: { publish: { type: "boolean", default: false } } });

const npm = (...args: string[]): void => void execFileSync("npm", args, { cwd: ROOT, stdio: "inherit" });

npm("run", "build");
npm("run", "check:packages");
npm("run", "check:packs");

const packs = packRelease();

if (values.publish) {
  const unversioned = packs.filter(({ source }) => versionOf(source) === "0.0.0").map(({ name }) => name);
  if (unversioned.length > 0)
    throw new Error(`release: ${unversioned.join(", ")} are at 0.0.0; expected versions; run npx changeset version and commit`);
  // In the order of dependencies, so that nothing is on npm before what it needs.
  for (const { tarball } of packs) npm("publish", tarball, "--provenance", "--access", "public");
} else {
  console.log("nothing was published; npm run release -- --publish does");
}

function versionOf(folderOfPackage: string): string {
  return (JSON.parse(readFileSync(join(folderOfPackage, "package.json"), "utf8")) as { version: string }).version;
}
