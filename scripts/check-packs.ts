import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { transformSync } from "esbuild";
import { comparable, promisedLines, documentedSamples, type Sample } from "../packages/testing/src/structure/samples.js";
import { entriesOf, listPackages, ROOT } from "../packages/testing/src/structure/workspace.js";
import { packAll, type Pack } from "./packs/stage.js";
import { compileAll } from "./packs/types.js";
import { borrow, bytesBelow, closure, installInto, run } from "./packs/user-project.js";

// Packs every published package and uses the tarballs in empty folders as a user would: one small package alone, then all together: every entry is
// imported, the samples of the READMEs are compiled and run, the types hold for every compiler and setting. Needs a build. `npm run check:packs`

const scratch = mkdtempSync(join(tmpdir(), "kto-packs-"));
process.on("exit", () => rmSync(scratch, { recursive: true, force: true }));

async function check(label: string, action: () => unknown): Promise<void> {
  const started = Date.now();
  try {
    await action();
    console.log(`ok    ${label} (${((Date.now() - started) / 1000).toFixed(0)} s)`);
  } catch (error) {
    process.exitCode = 1;
    console.log(`FAIL  ${label}\n${(error as Error).message}`);
  }
}

/** `npm i @kto/losses` installs what it needs and no Dawn; opening a GPU there says what is missing. */
function checkSmallPackage(packs: readonly Pack[]): void {
  const folder = join(scratch, "losses");
  const needed = closure("@kto/losses", packs, ({ source }) => dependenciesOf(source));
  installInto(folder, needed);
  const megabytes = bytesBelow(join(folder, "node_modules")) / 1e6;
  if (megabytes > 8) throw new Error(`npm i @kto/losses installs ${megabytes.toFixed(1)} MB; expected at most 8`);
  writeFileSync(
    join(folder, "open.js"),
    'import { requestDevice } from "@kto/tensor";\nawait requestDevice().catch(({ code, message }) => console.log(`${code} ${message}`));',
  );
  const said = run(process.execPath, ["open.js"], folder);
  if (!/^CAPABILITY .*run: npm i webgpu$/.test(said.trim()))
    throw new Error(`without webgpu: expected an error that says npm i webgpu, got ${said}`);
}

function dependenciesOf(folder: string): string[] {
  const manifest = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { dependencies?: Record<string, string> };
  return Object.keys(manifest.dependencies ?? {});
}

/** Everything installed, with the data that samples name and a software GPU that is there before they begin. */
function prepareAll(folder: string, packs: readonly Pack[]): void {
  installInto(folder, packs);
  for (const name of ["@sparticuz/chromium", "@types/node", "undici-types"]) borrow(folder, name);
  for (const path of ["examples/quickstart/model", "examples/quickstart/data", "packages/testing/fixtures/model"]) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    symlinkSync(join(ROOT, path), join(folder, path));
  }
  writeFileSync(join(folder, "gpu.js"), 'import { installSoftwareGpu } from "@kto/software-gpu";\nawait installSoftwareGpu();\n');
}

function importAll(folder: string): void {
  const entries = listPackages()
    .filter(({ manifest }) => !manifest.private)
    .flatMap(entriesOf);
  writeFileSync(join(folder, "import-all.js"), entries.map(({ specifier }) => `await import("${specifier}");`).join("\n"));
  run(process.execPath, ["import-all.js"], folder);
}

/** `dataset_num_proc: 2` of the installed packages: the file of a thread is in the tarball, and its rows are those of one thread. */
function tokenizeOnThreads(folder: string): void {
  const code = `
    import { loadDataset, openTokenizer } from "@kto/kit";
    import { tokenizeWorkers } from "@kto/kit/node";
    import { prepareKtoDataset, prepareSftDataset } from "@kto/trainer";
    const dataset = (await loadDataset("examples/quickstart/data/train.jsonl")).take(200);
    const tokenizer = await openTokenizer("examples/quickstart/model");
    for (const prepare of [prepareKtoDataset, prepareSftDataset]) {
      const [one, two] = [await prepare(dataset, { tokenizer }), await prepare(dataset, { tokenizer, workers: tokenizeWorkers(2) })];
      console.log(one.rows.length > 0 && JSON.stringify([...one.rows]) === JSON.stringify([...two.rows]));
    }`;
  writeFileSync(join(folder, "threads.js"), code);
  const said = run(process.execPath, ["threads.js"], folder);
  if (said.trim() !== "true\ntrue") throw new Error(`expected the same rows on two threads as on one, of KTO and of SFT, got ${said}`);
}

function runSample(folder: string, { name, code }: Sample): void {
  writeFileSync(join(folder, `${name}.js`), transformSync(code, { loader: "ts", target: "node20" }).code);
  const printed = run(process.execPath, ["--import", "./gpu.js", `${name}.js`], folder, { KTO_DEVICE: "software" });
  const promised = promisedLines(code);
  const lines = promised && comparable(printed, promised);
  if (promised && lines!.join("\n") !== promised.join("\n"))
    throw new Error(`it prints\n${lines!.join("\n")}\nand its comments say\n${promised.join("\n")}`);
}

async function checkTypes(folder: string, samples: readonly Sample[]): Promise<void> {
  const typed = samples.filter((sample) => sample.typed);
  for (const { name, code } of typed) writeFileSync(join(folder, `${name}.ts`), `${code}\nexport {};\n`);
  const entries = listPackages()
    .filter(({ manifest }) => !manifest.private)
    .flatMap(entriesOf);
  const useOf = (wanted: typeof entries): string =>
    wanted.map(({ specifier }, index) => `import * as entry${index} from "${specifier}";\nexport { entry${index} };\n`).join("");
  writeFileSync(join(folder, "every-entry.ts"), useOf(entries));
  writeFileSync(join(folder, "every-browser-entry.ts"), useOf(entries.filter(({ browser }) => browser)));
  const nodeFiles = ["every-entry.ts", ...typed.map(({ name }) => `${name}.ts`)];
  for (const { label, complaints } of await compileAll(folder, nodeFiles, ["every-browser-entry.ts"])) {
    await check(`types: ${label}`, () => {
      if (complaints) throw new Error(complaints);
    });
  }
}

const packs = packAll(scratch);
const samples = documentedSamples();
const folder = join(scratch, "all");
await check("npm i @kto/losses", () => checkSmallPackage(packs));
await check(`npm i of all ${packs.length} packages`, () => prepareAll(folder, packs));
await check("every entry is imported", () => importAll(folder));
await check("rows are tokenised on threads", () => tokenizeOnThreads(folder));
await checkTypes(folder, samples);
for (const sample of samples.filter((candidate) => candidate.run)) await check(sample.place, () => runSample(folder, sample));
