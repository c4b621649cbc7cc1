import { relative } from "node:path";
import { main, type Io } from "@kto/cli";
import { loadTokenizer } from "@kto/tokenizer/node";
import { examine, type Exam } from "./accuracy.js";
import { loadModel, withAdapter } from "./model.js";
import { openDevice } from "./open-device.js";
import { configFile, exampleFolder, modelFolder, outFolder, trainFile } from "./paths.js";
import { questionText } from "./sums.js";

/** What a demo is given. */
export interface DemoOptions {
  device: "gpu" | "software";
  io: Io;
  /** Default `out`, which git ignores. */
  outputDir?: string;
  /** A shorter run, for tests. */
  maxSteps?: number;
}

/** The two measurements, or the exit status of a run that failed. */
export type DemoResult = { status: 0; before: Exam; after: Exam } | { status: number; before: Exam; after: undefined };

/** Measures the model on held-out sums, trains it with `kto train` on its own marked answers, and measures it again. Changes the working folder. */
export async function runDemo({ device: kind, io, outputDir = outFolder, maxSteps }: DemoOptions): Promise<DemoResult> {
  const say = (line = ""): void => void io.stdout.write(`${line}\n`);
  const startFolder = process.cwd();
  process.chdir(exampleFolder);
  try {
    await using device = await openDevice(kind);
    using model = await loadModel(device);
    const tokenizer = await loadTokenizer(modelFolder);
    say("A small model was taught to add from sums of which half were wrong.");
    say("KTO mends it with nothing but 👍 and 👎 on its own answers.");
    say();
    const before = await examine(model, tokenizer);
    say(`before     ${inWords(before)}`);
    say();

    const flags = ["--device", kind, "--output_dir", outputDir, ...(maxSteps === undefined ? [] : ["--max_steps", String(maxSteps)])];
    const status = await main(["train", configFile, ...flags], { ...io, stdout: silent }); // the demo's own summary stands for the result line
    if (status !== 0) return { status, before, after: undefined };

    using adapted = await withAdapter(model, outputDir);
    const after = await examine(adapted.base, tokenizer);
    say();
    say(`before     ${inWords(before)}`);
    say(`after      ${inWords(after)}`);
    say();
    for (const line of sampleTable(before, after)) say(line);
    say();
    const seenFrom = (path: string): string => relative(startFolder, path) || ".";
    say(`data       ${seenFrom(trainFile)}`);
    say(`adapter    ${seenFrom(outputDir)} (peft's files, metrics.jsonl)`);
    return { status: 0, before, after };
  } finally {
    process.chdir(startFolder);
  }
}

const silent: Io["stdout"] = { write: () => true };

function inWords({ numRight, answers, accuracy }: Exam): string {
  return `${(100 * accuracy).toFixed(1)} % right (${numRight} of ${answers.length} sampled answers to held-out sums)`;
}

/** Answers to the same questions before and after. */
function sampleTable(before: Exam, after: Exam, numRows = 8): string[] {
  const mark = (isRight: boolean): string => (isRight ? "👍" : "👎");
  const rows = before.answers.slice(0, numRows).map(({ sum, text, isRight }, index) => {
    const then = after.answers[index]!;
    return `  ${questionText(sum).padEnd(9)}${text.padEnd(6)}${mark(isRight)}     ${then.text.padEnd(6)}${mark(then.isRight)}`;
  });
  return ["  sum      before       after", ...rows];
}
