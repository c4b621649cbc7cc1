import { execFile } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { promisify } from "node:util";
import { ROOT } from "../../packages/testing/src/structure/workspace.js";

const compilers = { "TypeScript 5.9": "typescript-5.9", "TypeScript 6.0": "typescript" };
const resolutions = { bundler: "esnext", nodenext: "nodenext" };

interface Combination {
  label: string;
  compiler: string;
  options: object;
  files: readonly string[];
}

/** Every way in which a user's strict program may be compiled: two compilers, two resolutions, with the DOM and without. */
function combinations(nodeFiles: readonly string[], browserFiles: readonly string[]): Combination[] {
  return Object.entries(compilers).flatMap(([label, compiler]) =>
    Object.entries(resolutions).flatMap(([moduleResolution, module]) => {
      const options = { target: "es2022", module, moduleResolution };
      const inNode = (lib: string[]): Combination => ({
        label: `${label}, ${moduleResolution}, Node, ${lib.includes("dom") ? "with" : "without"} dom`,
        compiler,
        options: { ...options, lib, types: ["node"] },
        files: nodeFiles,
      });
      const inBrowser = {
        label: `${label}, ${moduleResolution}, browser`,
        compiler,
        options: { ...options, lib: ["es2023", "dom", "dom.iterable"], types: [] },
        files: browserFiles,
      };
      return [inNode(["es2023"]), inNode(["es2023", "dom", "dom.iterable"]), inBrowser];
    }),
  );
}

/**
 * Compiles files of a user's project in every combination, strictly and with `skipLibCheck: false`, two at a time.
 *
 * @returns for each combination its label and what the compiler said, "" where all is well
 */
export async function compileAll(
  folder: string,
  nodeFiles: readonly string[],
  browserFiles: readonly string[],
): Promise<{ label: string; complaints: string }[]> {
  const waiting = combinations(nodeFiles, browserFiles).map((combination, index) => ({ ...combination, index }));
  const results: { label: string; complaints: string }[] = [];
  const work = async (): Promise<void> => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      results[next.index] = { label: next.label, complaints: await compile(folder, next, next.index) };
    }
  };
  await Promise.all([work(), work()]);
  return results;
}

async function compile(folder: string, { compiler, options, files }: Combination, index: number): Promise<string> {
  const config = `tsconfig.${index}.json`;
  const compilerOptions = { ...options, strict: true, skipLibCheck: false, noEmit: true };
  writeFileSync(join(folder, config), JSON.stringify({ compilerOptions, files }));
  try {
    await promisify(execFile)(process.execPath, [join(ROOT, "node_modules", compiler, "bin/tsc"), "-p", config], { cwd: folder });
    return "";
  } catch (error) {
    return (error as { stdout?: string }).stdout?.trim() || (error as Error).message;
  }
}
