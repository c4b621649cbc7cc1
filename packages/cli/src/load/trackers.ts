import { hostname } from "node:os";
import { join } from "node:path";
import { readText } from "@kto/core";
import { folderStore } from "@kto/core/node";
import { tensorBoard, type ModelFiles } from "@kto/kit";
import type { Tracker } from "@kto/trainer";
import { withHome } from "../config/check-command.js";
import { reportsTo } from "../config/report-to.js";
import type { TrainValues } from "../config/train-fields.js";
import type { Io } from "../io.js";
import type { Console } from "../render/console.js";

/** What trackers of a run are made from. */
export interface TrackedMaterials {
  values: Pick<TrainValues, "reportTo" | "loggingDir" | "outputDir">;
  model: Pick<ModelFiles, "directory">;
  /** The text of `resolved_config.yaml`. */
  resolved: string;
  /** Whether the run goes on from a checkpoint of its folder. */
  isResumed: boolean;
}

/** What `report_to` asks for; says where it is written. */
export async function trackersOf(
  { values, model, resolved, isResumed }: TrackedMaterials,
  { io, console }: { io: Io; console: Console },
): Promise<Tracker[]> {
  if (!reportsTo(values.reportTo).includes("tensorboard")) return [];
  const place = values.loggingDir ?? (await defaultLoggingDir(values.outputDir, { env: io.env, isResumed }));
  const config = await readText(model.directory, "config.json");
  console.fact("events", `${place}, for tensorboard --logdir`);
  return [tensorBoard(place, { texts: { args: resolved, ...(config !== undefined && { model_config: config }) } })];
}

/**
 * Where transformers writes event files: `TENSORBOARD_LOGGING_DIR`, else a folder of `runs` in the run's own, named by time and host. A run that goes on from a
 * checkpoint goes on in the newest there.
 */
async function defaultLoggingDir(outputDir: string, { env, isResumed }: { env: Io["env"]; isResumed: boolean }): Promise<string> {
  const named = env["TENSORBOARD_LOGGING_DIR"];
  if (named) return withHome(named, env);
  const runs = join(outputDir, "runs");
  return join(runs, (isResumed ? await newestWithEvents(runs) : undefined) ?? folderName(new Date()));
}

/** The folder that the newest event file lies in. */
async function newestWithEvents(runs: string): Promise<string | undefined> {
  const store = folderStore(runs);
  const found: { folder: string; file: string }[] = [];
  for (const { name: folder, kind } of await store.list())
    if (kind === "folder")
      for (const { name: file } of await store.list(folder)) if (file.startsWith("events.out.tfevents.")) found.push({ folder, file });
  return found.sort((a, b) => (a.file < b.file ? -1 : 1)).at(-1)?.folder;
}

/** `Dec01_03-15-26_host`, as torch names it. */
function folderName(time: Date): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const month = time.toLocaleString("en-US", { month: "short" });
  const clock = [time.getHours(), time.getMinutes(), time.getSeconds()].map(two).join("-");
  return `${month}${two(time.getDate())}_${clock}_${hostname()}`;
}
