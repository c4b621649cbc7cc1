import type { Store } from "@kto/core";
import { snakeCase } from "@kto/core/config";
import type { TrackedRun, Tracker } from "@kto/trainer";
import { directory } from "../output/directory.js";
import { eventRecord, openingRecord, type EventContent } from "./event-file.js";

/** Options of {@link tensorBoard}. */
export interface TensorBoardOptions {
  /** Texts about the run by their tag; default `args`, the arguments of the trainer. */
  texts?: Readonly<Record<string, string>> | undefined;
}

/** Names of event files; the number is a time in seconds, and later files are read later. */
const fileName = /^events\.out\.tfevents\.(\d+)\./;

/**
 * Writes what a run logs as event files that TensorBoard opens, under the names of transformers' TensorBoardCallback: `train/loss`, `train/rewards/chosen`,
 * `eval/loss`. A run that goes on from a checkpoint adds a file, which voids what the files before it say of later steps.
 *
 * @param place  a store, what `directory` gives, or the path of a folder (in Node)
 * @throws WriteError, from the run, where the place cannot be written
 */
export function tensorBoard(place: Store | { readonly store: Store } | string, { texts }: TensorBoardOptions = {}): Tracker {
  const opened = typeof place === "string" ? directory(place) : place;
  const store = "store" in opened ? opened.store : opened;
  let file = "";
  const write = (step: number, content: EventContent): Promise<void> => store.append(file, eventRecord(step, content, now()));
  return {
    async start(run) {
      file = await newFile(store);
      await store.append(file, openingRecord(now()));
      if (run.startStep > 0) await write(run.startStep + 1, { restarts: true });
      await write(run.startStep, { texts: inMarkdown(texts ?? { args: argsOf(run) }) });
    },
    log: (step, metrics) => write(step, { scalars: underTags(metrics) }),
    async end(result) {
      if (result) await write(result.globalStep, { scalars: underTags(result.metrics) });
    },
  };
}

/** The tag of each metric, as transformers spells it. */
function underTags(metrics: Readonly<Record<string, number>>): Record<string, number> {
  const tag = (name: string): string => (name.startsWith("eval_") ? `eval/${name.slice(5)}` : `train/${name}`);
  return Object.fromEntries(Object.entries(metrics).map(([name, value]) => [tag(name), value]));
}

/** A file that is read after those that are there. */
async function newFile(store: Store): Promise<string> {
  const times = (await store.list()).map(({ name }) => Number(fileName.exec(name)?.[1] ?? 0));
  const time = Math.max(Math.floor(now()), ...times.map((before) => before + 1));
  return `events.out.tfevents.${String(time).padStart(10, "0")}.kto`;
}

/** Texts to be shown as they are: a paragraph that is indented is code. */
function inMarkdown(texts: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(texts).map(([tag, text]) => [tag, text.replace(/^/gm, "    ")]));
}

function argsOf({ args }: TrackedRun): string {
  return JSON.stringify(Object.fromEntries(Object.entries(args).map(([name, value]) => [snakeCase(name), value])), null, 2);
}

function now(): number {
  return Date.now() / 1000;
}
