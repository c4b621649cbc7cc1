import type { Store } from "@kto/core";
import { RunFolder, type FolderLock } from "@kto/kit";
import type { RunOutput } from "@kto/trainer";
import { dataFile, factsFile, factsText, type RunFacts } from "./saved-run.js";

/** What a new run leaves beside the trainer's files, so that a reload can go on with it. */
export interface RunBelongings {
  facts: RunFacts;
  /** What it learns from, where that is not the demo's data. */
  data: File | undefined;
}

/** Where a run of the page writes to; `metrics.jsonl` by `appendMetrics`. */
export interface KeptRun extends RunOutput {
  appendMetrics(record: object): Promise<void>;
}

/** The output of a run that begins, in place of the one that is kept, with its belongings; or, without them, of one that goes on. */
export function keptRun(store: Store, belongings: RunBelongings | undefined): KeptRun {
  const folder = new RunFolder(store, noLock, { overwrite: belongings !== undefined });
  return {
    store,
    check: (run) => folder.check(run),
    async begin(run) {
      await folder.begin(run);
      if (belongings) await writeBelongings(store, belongings);
    },
    end: () => folder.end(),
    appendMetrics: (record) => folder.appendMetrics(record),
  };
}

/** Facts go first and come last: who finds them finds the data too. */
async function writeBelongings(store: Store, { facts, data }: RunBelongings): Promise<void> {
  await store.remove(factsFile);
  await store.remove(dataFile);
  if (data) await store.write(dataFile, new Uint8Array(await data.arrayBuffer()));
  await store.write(factsFile, factsText(facts));
}

/** One tab is at work anyway, from before the run to after it: see `alone`. */
const noLock: FolderLock = {
  expectFree: async () => undefined,
  take: async () => async () => undefined,
};
