/**
 * Runs one bench by name: npm run bench -- matmul. Where there is no GPU it runs on the software adapter (KTO_DEVICE=software asks for that), and its
 * times say nothing about GPUs.
 */
import { readdirSync } from "node:fs";

const helpers = new Set(["main.ts", "random-model.ts", "driver-memory.ts"]);
const names = readdirSync(new URL(".", import.meta.url))
  .filter((file) => file.endsWith(".ts") && !helpers.has(file))
  .map((file) => file.slice(0, -3));
const [name, ...rest] = process.argv.slice(2);
if (!name || !names.includes(name)) {
  console.error(`bench: expected one of ${names.join(", ")}; got ${name ?? "nothing"}`);
  process.exit(2);
}
if (process.env.KTO_DEVICE === "software") {
  const { installSoftwareGpu } = await import("@kto/software-gpu");
  await installSoftwareGpu();
}
process.argv.splice(2, process.argv.length, ...rest);
await import(`./${name}.ts`);
