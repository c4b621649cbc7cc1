import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { entriesOf, listPackages, type Package, ROOT } from "../packages/testing/src/structure/workspace.js";

// Packs every published package as npm would, installs each alone into an empty project, imports all its entries there, and for the libraries
// that stand alone runs the first sample of their README. Needs a build. `npm run check:packs`

/** Their README's first js block is run; a GPU comes from the workspace's own software-gpu, preloaded. */
const RUN_SAMPLE = ["@kto/losses", "@kto/safetensors", "@kto/chat-templates", "@kto/datasets", "@kto/tensor"];

const packages = listPackages().filter(({ manifest }) => !manifest.private);
const scratch = mkdtempSync(join(tmpdir(), "kto-packs-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

function run(command: string, args: string[], cwd: string): string {
  return execFileSync(command, args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "pipe"], timeout: 300_000 });
}

/** Packs a package; gives the tarball's path. */
function pack({ folder, name }: Package): string {
  const [made] = JSON.parse(run("npm", ["pack", "--json", "--pack-destination", scratch, folder], ROOT)) as {
    filename: string;
    files: { path: string }[];
  }[];
  const tests = made!.files.filter(({ path }) => /\.test\.|fixtures\//.test(path));
  if (tests.length > 0) throw new Error(`${name} packs tests: ${tests.map(({ path }) => path).join(", ")}`);
  return join(scratch, made!.filename.replace("@", "").replace("/", "-"));
}

/** The package and the workspace's packages that it needs. */
function closure(name: string): Set<string> {
  const { manifest } = packages.find((candidate) => candidate.name === name)!;
  const needed = Object.keys(manifest.dependencies ?? {}).filter((dependency) => dependency.startsWith("@kto/"));
  return new Set([name, ...needed.flatMap((dependency) => [...closure(dependency)])]);
}

/** A project that has installed this package and nothing else. */
function makeProject({ name }: Package, tarballs: Map<string, string>): string {
  const project = join(scratch, name.replace("/", "-"));
  mkdirSync(project);
  writeFileSync(join(project, "package.json"), JSON.stringify({ name: "project", private: true, type: "module" }));
  const files = [...closure(name)].map((needed) => tarballs.get(needed)!);
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund", ...files], project);
  const installed = readdirSync(join(project, "node_modules", "@kto")).map((folder) => `@kto/${folder}`);
  const surplus = installed.filter((other) => !closure(name).has(other));
  if (surplus.length > 0) throw new Error(`${name} brought ${surplus.join(", ")}`);
  return project;
}

function useIt(entry: Package, project: string): void {
  const imports = entriesOf(entry).map(({ specifier }) => `await import("${specifier}");`);
  writeFileSync(join(project, "import-all.js"), imports.join("\n"));
  run(process.execPath, ["import-all.js"], project);
  if (!RUN_SAMPLE.includes(entry.name)) return;

  const sample = /```js\n([\s\S]*?)```/.exec(readFileSync(join(entry.folder, "README.md"), "utf8"))?.[1];
  if (!sample) throw new Error(`README of ${entry.name} has no js block`);
  writeFileSync(join(project, "sample.js"), sample);
  const softwareGpu = pathToFileURL(join(ROOT, "packages/software-gpu/dist/index.js")).href;
  writeFileSync(join(project, "gpu.js"), `import { installSoftwareGpu } from "${softwareGpu}";\nawait installSoftwareGpu();\n`);
  run(process.execPath, ["--import", "./gpu.js", "sample.js"], project);
}

const tarballs = new Map(packages.map((entry) => [entry.name, pack(entry)]));
let failures = 0;
for (const entry of packages) {
  try {
    useIt(entry, makeProject(entry, tarballs));
    console.log(`ok    ${entry.name}`);
  } catch (error) {
    failures++;
    const { message, stderr } = error as Error & { stderr?: string };
    console.log(`FAIL  ${entry.name}\n${stderr || message}`);
  }
}
process.exitCode = failures === 0 ? 0 : 1;
