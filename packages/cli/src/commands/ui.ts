import { basename, join, resolve } from "node:path";
import { folderStore } from "@kto/core/node";
import { runProcess } from "@kto/kit/node";
import { expectRuns, runsIn } from "@kto/report";
import { serveRuns, type LiveRun, type RunStatus } from "@kto/report/node";
import { listCheckpoints } from "@kto/trainer";
import { commandValues, withHome } from "../config/check-command.js";
import { defaultOf } from "../config/field-defaults.js";
import { uiFields } from "../config/ui-fields.js";
import { InterruptedError } from "../errors.js";
import { folderMistake } from "../load/run-folders.js";
import type { Command, CommandInput } from "./command.js";

export const uiCommand: Command = {
  name: "ui",
  summary: "a run, or a folder of runs, live on a page of this machine",
  usage: "kto ui DIR [--port N]",
  examples: [
    ["kto ui outputs", "the run in outputs while it goes on, or afterwards"],
    ["kto ui runs --port 8080", "every run in a folder, several over each other"],
  ],
  fields: uiFields,
  run: ui,
};

async function ui(input: CommandInput): Promise<never> {
  const { operands, io, console } = input;
  const folders = operands.map((operand) => withHome(operand, io.env));
  const mistakes =
    folders.length === 1
      ? folderMistake("ui", folders[0]!)
      : [
          `ui: one folder is shown; expected that of a run or of runs, got ${folders.length}; name the output_dir of a run, or the folder that holds several`,
        ];
  const values = commandValues("ui", uiFields, input, mistakes);
  const folder = resolve(folders[0]!);
  const isRun = await expectRuns(folderStore(folder));
  const server = await serveRuns({
    title: basename(folder),
    port: values.port ?? undefined,
    defaultOf,
    runs: async () => (isRun ? [runAt(folder)] : (await runsIn(folderStore(folder))).map((name) => runAt(join(folder, name)))),
  });
  input.begin();
  console.fact("shows", isRun ? "a run" : (await runsIn(folderStore(folder))).join(", "));
  io.stdout.write(`listening on ${server.url}\n`);
  try {
    await aborted(io.signal);
  } finally {
    await server.close();
  }
  throw new InterruptedError("stopped");
}

/** A run of another process: nothing more is known of it than its folder tells. */
function runAt(path: string): LiveRun {
  return { name: basename(path), folder: folderStore(path), status: () => statusAt(path) };
}

async function statusAt(path: string): Promise<RunStatus> {
  const run = runProcess(path);
  if (run.state === "running") return { state: "training", message: `process ${run.pid} of this machine works in it` };
  if (run.state === "gone") {
    const checkpoint = (await listCheckpoints(folderStore(path))).at(-1);
    const goesOn =
      checkpoint === undefined ? "there is no checkpoint to go on from" : `--resume_from_checkpoint true goes on from ${checkpoint}`;
    return { state: "interrupted", message: `process ${run.pid} worked in it; ${goesOn}` };
  }
  if (run.state === "finished") return { state: "finished" };
  return { state: "stopped", message: "it is not at its end, and no process of this machine works in it" };
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((end) => {
    if (signal?.aborted) end();
    signal?.addEventListener("abort", () => end(), { once: true });
  });
}
