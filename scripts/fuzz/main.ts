import { mkdirSync, writeFileSync } from "node:fs";
import { parseArgs } from "node:util";

import type { Failure } from "./target.js";
import { targetOf, targets } from "./targets.js";
import { fuzzTarget, readAlone, type Outcome } from "./watch.js";

const usage = `npm run fuzz -- [--seconds 60] [--seed 1] [--target NAME …] [--jobs 2] [--input FILE]

Feeds changed files to every reader. Each must give a result or a KtoError, in the time and memory that docs/data-and-files.md states.
--input reads one file with the one --target. Inputs that fail are kept in fuzz-failures/.
Targets: ${targets.map(({ name }) => name).join(", ")}`;

const { values } = parseArgs({
  options: {
    seconds: { type: "string", default: "60" },
    seed: { type: "string", default: "1" },
    jobs: { type: "string", default: "2" },
    target: { type: "string", multiple: true },
    input: { type: "string" },
    help: { type: "boolean", default: false },
  },
});

const chosen = values.target?.map(targetOf) ?? targets;
const [seconds, seed, jobs] = [Number(values.seconds), Number(values.seed), Number(values.jobs)];

if (values.help) console.log(usage);
else if (values.input !== undefined) process.exitCode = await readOne(values.input);
else process.exitCode = await fuzzAll();

async function readOne(file: string): Promise<number> {
  if (chosen.length !== 1) throw new Error("--input needs one --target");
  const finding = await readAlone(chosen[0]!.name, file);
  console.log(finding ? `${finding.kind}: ${finding.detail}` : "read, or refused with a typed error");
  return finding ? 1 : 0;
}

async function fuzzAll(): Promise<number> {
  const share = (1000 * seconds * jobs) / chosen.length;
  const [waiting, outcomes]: [(typeof chosen)[number][], Outcome[]] = [[...chosen], []];
  const work = async (): Promise<void> => {
    for (let target = waiting.shift(); target; target = waiting.shift()) {
      const outcome = await fuzzTarget(target, { seed, milliseconds: share });
      console.log(`${outcome.target.padEnd(24)}${String(outcome.count).padStart(9)} inputs, ${outcome.failures.length} failures`);
      for (const failure of outcome.failures) console.log(keep(failure));
      outcomes.push(outcome);
    }
  };
  await Promise.all(Array.from({ length: jobs }, work));
  const count = outcomes.reduce((sum, outcome) => sum + outcome.count, 0);
  const failures = outcomes.flatMap((outcome) => outcome.failures);
  console.log(`${count} inputs, ${failures.length} failures (seed ${seed})`);
  return failures.length === 0 ? 0 : 1;
}

/** Writes the input where `--input` finds it; returns what to print. */
function keep({ target, index, kind, detail, input }: Failure): string {
  mkdirSync("fuzz-failures", { recursive: true });
  const file = `fuzz-failures/${target}-${seed}-${index}`;
  writeFileSync(file, input);
  return `  ${kind} (${file}): ${detail.replaceAll("\n", "\n    ")}`;
}
