/**
 * How long a start of `kto train` takes, from the command to its first update, and on what: the command runs in a process of its own, and the lines that it
 * writes say where it stands. It is ended after the first update.
 *
 *   npm run bench -- start [--runs 4] [--profile FOLDER] [--out FILE.json] -- COMMAND …
 *
 * The first run begins with an empty cache of shaders (NVIDIA's driver), the others find what it left. With --profile one more run, slower, leaves a CPU profile,
 * where the command is one of node.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";

/** What a line of the command begins with, and what ends with it. */
const stages: readonly (readonly [begins: RegExp, ended: string])[] = [
  [/^kto · /, "program, data, tokenizer, device"],
  [/^model /, "weights"],
  [/^adapter /, "adapter"],
  [/^plan /, "memory plan"],
  [/^answering/, "kernels"],
  [/^ +step +epoch/, "answers, first update"],
];

const { values: options, positionals: command } = parseArgs({
  allowPositionals: true,
  options: { runs: { type: "string", default: "4" }, profile: { type: "string" }, out: { type: "string" } },
});
if (command.length === 0) throw new Error("start: no command; expected one that trains, behind --");

const cache = mkdtempSync(join(tmpdir(), "kto-start-"));
const env = { ...process.env, __GL_SHADER_DISK_CACHE: "1", __GL_SHADER_DISK_CACHE_PATH: cache };

/** Runs the command until its first update is done; seconds of each stage. */
async function start(...nodeOptions: string[]): Promise<Record<string, number>> {
  const began = performance.now();
  const [program, ...argv] = command;
  const child = spawn(program!, [...nodeOptions, ...argv], { stdio: ["ignore", "ignore", "pipe"], env });
  const took: Record<string, number> = {};
  let last = began;
  let said = "";
  let rest = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said += text;
    const lines = (rest + text).split(/[\n\r]/);
    rest = lines.pop()!;
    for (const line of lines) {
      const stage = stages.find(([begins]) => begins.test(line))?.[1];
      if (stage === undefined || stage in took) continue;
      const now = performance.now();
      took[stage] = (now - last) / 1000;
      last = now;
      if (stage !== stages.at(-1)![1]) continue;
      child.kill("SIGINT");
      child.kill("SIGINT");
      setTimeout(() => child.kill("SIGINT"), 100);
    }
  });
  await new Promise((resolve) => child.once("close", resolve));
  if (!(stages.at(-1)![1] in took)) throw new Error(`start: the command ended before its first update:\n${said}`);
  return { ...took, total: (last - began) / 1000 };
}

const runs: Record<string, number>[] = [];
try {
  for (let run = 0; run < Number(options.runs); run++) {
    const took = await start();
    runs.push(took);
    const parts = Object.entries(took).map(([name, seconds]) => `${name} ${seconds.toFixed(2)}`);
    console.log(`${(run === 0 ? "cold" : `warm ${run}`).padEnd(8)}${parts.join(" · ")}`);
    if (options.out !== undefined) writeFileSync(options.out, `${JSON.stringify({ command, runs }, undefined, 1)}\n`);
  }
  if (options.profile !== undefined) await start("--cpu-prof", `--cpu-prof-dir=${options.profile}`);
} finally {
  rmSync(cache, { recursive: true, force: true });
}
