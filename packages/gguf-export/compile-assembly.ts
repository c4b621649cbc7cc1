import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

// Compiles assembly/ to WebAssembly and bundles the script of the workers, both as text into src/quantizer/compiled.ts: `npm run assembly`. The text is
// committed, so that tests and editors need no build; a test makes it again and compares.

const folder = fileURLToPath(new URL(".", import.meta.url));
const COMPILED = `${folder}src/quantizer/compiled.ts`;

/** What is used of the compiler. Its own types would come with those of its language, which change what arrays are everywhere else. */
interface Compiler {
  main(
    options: string[],
    files: {
      readFile(name: string): string | null;
      writeFile(name: string, contents: string | Uint8Array): void;
      listFiles(): string[];
      stderr: { write(text: string | Uint8Array): void };
    },
  ): Promise<{ error: Error | null }>;
}

const compilerName: string = "assemblyscript/asc";

const flags = ["--optimizeLevel", "3", "--enable", "simd", "--runtime", "stub", "--noAssert", "--use", "abort=", "--disableWarning", "112"];

/** assembly/index.ts and what it imports as a module. Throws with what the compiler says. */
async function compileModule(): Promise<Uint8Array> {
  const sources = new Map(readdirSync(`${folder}assembly`).map((name) => [name, readFileSync(`${folder}assembly/${name}`, "utf8")]));
  const { main: compile } = (await import(/* @vite-ignore */ compilerName)) as Compiler;
  let compiled: Uint8Array | undefined;
  let said = "";
  const { error } = await compile(["index.ts", "--outFile", "quantizer.wasm", ...flags], {
    readFile: (name) => sources.get(name) ?? null,
    writeFile: (_, contents) => void (compiled = contents as Uint8Array),
    listFiles: () => [],
    stderr: { write: (text: string | Uint8Array) => void (said += String(text)) },
  });
  if (error || !compiled) throw new Error(`assembly/ does not compile: ${said}`, { cause: error });
  return compiled;
}

async function bundleWorker(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [`${folder}src/quantizer/worker.ts`],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2022",
    conditions: ["@kto/source"],
    write: false,
  });
  return outputFiles[0]!.text.trim();
}

/** The text of compiled.ts. */
export async function compiledSource(): Promise<string> {
  const worker = await bundleWorker();
  const module = Buffer.from(await compileModule()).toString("base64");
  return [
    `// Made by compile-assembly.ts from assembly/ and worker.ts: \`npm run assembly\`.\n`,
    `/** The quantisers as a WebAssembly module, base64. */`,
    `export const MODULE: string =\n  "${module}";\n`,
    `/** The script of a worker. */`,
    `export const WORKER_SCRIPT: string =\n  '${worker.replaceAll(/[\\']/g, "\\$&")}';\n`,
  ].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) writeFileSync(COMPILED, await compiledSource());
