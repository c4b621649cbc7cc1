import { relative, resolve } from "node:path";
import { errorLines, exitStatus, main, type Io } from "@kto/cli";
import { deviceChoice, loadAdapter, loadModel, openDevice, type LoadedModel } from "@kto/kit";
import { expandHome } from "@kto/kit/node";
import { examine, type Exam } from "./accuracy.js";
import { shellWord, type DemoArguments } from "./arguments.js";
import { configFile, modelFolder, outFolder, readmeFile, repositoryFolder, testFile, trainFile } from "./paths.js";
import { questionText } from "./sums.js";

/** What a demo is given. */
export interface DemoOptions {
  args: Pick<DemoArguments, "device" | "outputDir" | "resumes" | "flags" | "again">;
  io: Io;
}

/** The two measurements, or the exit status of a run that ended early. */
export type DemoResult = { status: 0; before: Exam; after: Exam } | { status: number; before?: Exam; after?: undefined };

/** Measures the model on held-out sums, trains it with `kto train` on its own marked answers, and measures it again. */
export async function runDemo({ args, io }: DemoOptions): Promise<DemoResult> {
  const say = (line = ""): void => void io.stdout.write(`${line}\n`);
  const outputDir = expandHome(args.outputDir ?? fromHere(outFolder));
  const own = ["--model_name_or_path", fromHere(modelFolder), "--train_file", fromHere(trainFile), "--output_dir", outputDir];
  if (args.resumes) own.push("--overwrite_output_dir", "false"); // or kto.yaml's word would contradict it
  const command = ["train", fromHere(configFile), ...own, ...args.flags];
  const mistaken = await findMistakes(command, io);
  if (mistaken !== 0) return { status: mistaken };

  let done: { before?: Exam } = {};
  let isOpen = false;
  try {
    const choice = args.device === undefined ? undefined : deviceChoice(args.device, "--device");
    await using device = await openDevice({ device: choice, env: io.env, onNote: () => {} }); // the command says it once more
    isOpen = true;
    using model = await loadModel(modelFolder, { device, dtype: "f32" });
    say("measuring: two answers to each of 200 sums that training never asks …");
    const before = await examine(model, { signal: io.signal });
    done = { before };
    say(`before     ${inWords(before)}`);
    say();

    const status = await main(command, { ...io, stdout: silent, again: args.again }); // the demo's own summary stands for the result line
    if (status !== 0) return { status, before };

    say();
    say("measuring again: the same sums, with the adapter on the model …");
    const after = await examineAdapted(model, outputDir, io.signal);
    say();
    say(`before     ${inWords(before)}`);
    say(`after      ${inWords(after)}`);
    say();
    for (const line of [...sampleTable(before, after), "", ...whatNext(outputDir)]) say(line);
    return { status: 0, before, after };
  } catch (error) {
    const isInterrupted = io.signal?.aborted === true && error === io.signal.reason;
    const kept = done.before === undefined ? "nothing was written" : `the adapter is in ${outputDir}`;
    const lines = isInterrupted ? [`demo: interrupted while measuring; ${kept}`] : errorLines(error);
    for (const line of lines) io.stderr.write(`${line}\n`);
    return { ...done, status: isInterrupted ? exitStatus.interrupted : isOpen ? exitStatus.failed : exitStatus.wrongInput };
  }
}

const silent: Io["stdout"] = { write: () => true };

/**
 * Lets the command find what is wrong with its flags before anything is measured: told to stop from the outset, it looks at everything that needs no
 * device, and does nothing. Resolves to its exit status if something is wrong, else to 0.
 */
async function findMistakes(command: readonly string[], io: Io): Promise<number> {
  let said = "";
  const stderr: Io["stderr"] = { write: (text) => (said += text) };
  const status = await main(command, { stdout: silent, stderr, env: io.env, signal: AbortSignal.abort() });
  if (status === exitStatus.interrupted) return 0;
  io.stderr.write(said);
  return status;
}

async function examineAdapted(model: LoadedModel, folder: string, signal: AbortSignal | undefined): Promise<Exam> {
  using adapted = await loadAdapter(model, folder, { isTrainable: false });
  return await examine(adapted, { signal });
}

/** A path as seen from the working folder. */
function fromHere(path: string): string {
  return seenFrom(process.cwd(), path);
}

/** The path from a folder to what lies in it; of other things the whole path. */
function seenFrom(folder: string, path: string): string {
  const way = relative(folder, path);
  return way.startsWith("..") ? resolve(path) : way || ".";
}

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

/** Where things are and what can be done with them; the commands are for the repository's root. */
function whatNext(outputDir: string): string[] {
  const [model, data, adapter] = [modelFolder, testFile, outputDir].map((path) => shellWord(seenFrom(repositoryFolder, path)));
  return [
    `data       ${fromHere(trainFile)}`,
    `adapter    ${fromHere(outputDir)} (peft's files, metrics.jsonl)`,
    "",
    "What next, in the root of the repository:",
    `  evaluate   npm run kto -- evaluate --model ${model} --adapter ${adapter} --data ${data}`,
    `  your data  npm run kto -- train --model ${model} --data your.jsonl --use_peft --learning_rate 1e-3 --output_dir my-adapter`,
    `  read on    ${relative(repositoryFolder, readmeFile)}`,
  ];
}
