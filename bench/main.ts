/**
 * Runs one bench of this folder by name, `npm run bench -- matmul`, or `kto bench` with these arguments where none has it: `npm run bench -- kernels step --json`. Where
 * there is no GPU it runs on the software adapter (KTO_DEVICE=software asks for that), and its times say nothing about GPUs.
 */
import { execFileSync } from "node:child_process";
import { readdirSync } from "node:fs";

const helpers = new Set(["main.ts", "driver-memory.ts"]);
const names = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".ts") && !helpers.has(file))
  .map((file) => file.slice(0, -3));
const [name, ...rest] = process.argv.slice(2);
if (name !== undefined && names.includes(name)) {
  if (process.env.KTO_DEVICE === "software") {
    const { installSoftwareGpu } = await import("@kto/software-gpu");
    await installSoftwareGpu();
  }
  process.argv.splice(2, process.argv.length, ...rest);
  await import(`./${name}.ts`);
} else {
  if (name === "--help") console.error(`benches of this folder: ${names.join(", ")}; and:`);
  process.env.KTO_COMMIT ??= execFileSync("git", ["rev-parse", "--short", "HEAD"], { encoding: "utf8" }).trim();
  process.argv.splice(2, 0, "bench");
  await import("../packages/cli/src/bin.js");
}
