import { join, resolve } from "node:path";
import { field, orNull, path } from "@kto/core/config";
import { folderStore, writeFileAtomic } from "@kto/core/node";
import { readRun, reportHtml, type Run } from "@kto/report";
import { commandValues, withHome } from "../config/check-command.js";
import { defaultOf } from "../config/field-defaults.js";
import { exitStatus } from "../errors.js";
import { folderMistake } from "../load/run-folders.js";
import { reportFile } from "../load/run-report.js";
import { showCurves, type DrawnMetric } from "../render/run-curves.js";
import type { Command, CommandInput } from "./command.js";

const reportFields = {
  out: field(orNull(path("the page to write")), null, {
    group: "output",
    help: "the page; by default report.html in the folder of the run, and in this folder where there are several",
  }),
};

export const reportCommand: Command = {
  name: "report",
  summary: "a run as one HTML page, or several compared",
  usage: "kto report DIR [DIR …] [--out FILE]",
  examples: [
    ["kto report outputs", "writes outputs/report.html from the files of the run, finished or not"],
    ["kto report outputs-a outputs-b --out both.html", "curves over each other, and the fields in which the runs differ"],
  ],
  fields: reportFields,
  run: report,
};

async function report(input: CommandInput): Promise<number> {
  const { operands, io, options, console } = input;
  const folders = operands.map((operand) => withHome(operand, io.env));
  const values = commandValues("report", reportFields, input, folders.length === 0 ? ["report: no run is named; expected one folder or more, got none; name the output_dir of a run"] : folders.flatMap((folder) => folderMistake("report", folder))); // prettier-ignore
  const names = shortNames(folders);
  const runs: Run[] = [];
  for (const [index, folder] of folders.entries()) {
    const run = await readRun(folderStore(resolve(folder)), { name: names[index]!, defaultOf });
    for (const problem of run.problems) console.warn(join(folder, problem));
    runs.push(run);
  }
  const out = values.out ?? (folders.length === 1 ? join(folders[0]!, reportFile) : reportFile);
  input.begin();
  const html = new TextEncoder().encode(await reportHtml(runs));
  await writeFileAtomic(out, (sink) => sink.write(html));
  if (runs.length === 1 && console.isTerminal) showCurves(console, curvesOf(runs[0]!), runs[0]!.records, runs[0]!.evaluations);
  io.stdout.write(`${options.json ? JSON.stringify({ path: resolve(out) }) : out}\n`);
  return exitStatus.done;
}

/** What is looked at first of a run: its loss, and of what its method has beside it the first that is there. */
function curvesOf({ records }: Run): DrawnMetric[] {
  const known = [
    { title: "margin", metric: "rewards/margins" },
    { title: "accuracy", metric: "mean_token_accuracy" },
  ];
  return [{ title: "loss", metric: "loss" }, ...known.filter(({ metric }) => records.some((record) => record[metric] !== undefined)).slice(0, 1)]; // prettier-ignore
}

/** The last part of each path where that tells them apart, else the paths as they were given. */
function shortNames(folders: readonly string[]): readonly string[] {
  const last = folders.map((folder) => resolve(folder).split(/[\\/]/).at(-1)!);
  return new Set(last).size === last.length ? last : folders;
}
