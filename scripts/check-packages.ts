import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { checkPackage, createPackageFromTarballData } from "@arethetypeswrong/core";
import { filterProblems } from "@arethetypeswrong/core/problems";
import { publint } from "publint";
import { formatMessage } from "publint/utils";
import { tarballBounds } from "./packs/bounds.js";
import { packAll, type Pack } from "./packs/stage.js";

// Packs every published package and looks at what a user would get: its files, its size, its exports and the types behind them (publint, attw).
// Needs a build. `npm run check:packages`

/** What no tarball holds: sources (a second time), maps of them, tests and what tests share. */
const SURPLUS = /(^|\/)src\/|\.map$|\.test\.|(^|\/)testing\/|fixtures\/|tsconfig|\.tsbuildinfo$/;
const NEEDED = ["LICENSE", "README.md", "package.json", "dist/index.js", "dist/index.d.ts"];

async function problemsOf(pack: Pack): Promise<string[]> {
  return [...problemsOfFiles(pack), ...problemsOfSize(pack), ...(await problemsOfExports(pack)), ...(await problemsOfTypes(pack))];
}

function problemsOfFiles({ files, staged }: Pack): string[] {
  const surplus = files.filter((path) => SURPLUS.test(path)).map((path) => `packs ${path}, which is for the workspace alone`);
  const missing = NEEDED.filter((path) => !files.includes(path)).map((path) => `packs no ${path}`);
  const mapped = files.filter((path) => /\.(js|ts)$/.test(path) && readFileSync(join(staged, path), "utf8").includes("sourceMappingURL="));
  return [...surplus, ...missing, ...mapped.map((path) => `${path} names a source map that is not packed`)];
}

function problemsOfSize({ name, size }: Pack): string[] {
  const bound = tarballBounds[name];
  if (bound === undefined) return [`has no bound; its tarball is ${kB(size)} kB; write one into scripts/packs/bounds.ts`];
  if (size > bound * 1000)
    return [`its tarball is ${kB(size)} kB; expected at most ${bound}; find what came in, or raise scripts/packs/bounds.ts`];
  if (size < bound * 300)
    return [`its tarball is ${kB(size)} kB, far below its bound of ${bound}; something is missing, or lower scripts/packs/bounds.ts`];
  return [];
}

async function problemsOfExports({ staged }: Pack): Promise<string[]> {
  const { messages, pkg } = await publint({ pkgDir: staged, strict: true, pack: false });
  return messages.map((message) => `publint: ${formatMessage(message, pkg, { color: false }) ?? message.code}`);
}

/** As attw's profile `esm-only`: resolution for CommonJS is not looked at. */
async function problemsOfTypes({ tarball }: Pack): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(readFileSync(tarball)));
  if (!analysis.types) return ["attw: it has no types"];
  const kinds = ["node16-esm", "bundler"] as const;
  return kinds.flatMap((resolutionKind) => {
    const problems = filterProblems(analysis, { resolutionKind }).filter(
      (problem) => !("entrypoint" in problem && /\.js(on)?$/.test(problem.entrypoint)), // files as they are, without types,
    );
    return problems.map((problem) => `attw: ${resolutionKind}: ${JSON.stringify(problem)}`);
  });
}

function kB(bytes: number): string {
  return (bytes / 1000).toFixed(1);
}

const folder = mkdtempSync(join(tmpdir(), "kto-packages-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const pack of packAll(folder)) {
  const problems = await problemsOf(pack);
  console.log(`${problems.length === 0 ? "ok  " : "FAIL"}  ${pack.name}: ${kB(pack.size)} kB packed, ${kB(pack.unpackedSize)} kB unpacked`);
  for (const problem of problems) console.log(`      ${problem}`);
  if (problems.length > 0) process.exitCode = 1;
}
