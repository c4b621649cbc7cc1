import { boolean, booleanOrPath, field, integer, memorySize, names, number, orNull, path, text } from "@kto/core/config";

/** Fields of a run beside the trainer's: spellings of the past, memory, what is written where. */
export const runFields = {
  warmupRatio: field(orNull(number({ least: 0, below: 1 })), null, {
    group: "schedule",
    help: "transformers 4's name of a share of warm-up",
    notes: "`warmup_steps` wins",
  }),
  dataSeed: field(orNull(integer(0)), null, {
    group: "seeds",
    fate: "different",
    help: "no effect",
    notes: "the order of KTO is the file's",
  }),
  maxMemory: field(orNull(memorySize()), null, {
    group: "seeds",
    fate: "different",
    help: "what all GPU buffers may take together; by default what is free, where the driver tells",
    notes: "`4GiB`, `3500MB`, bytes, or transformers' map with one GPU (`cpu` and `disk` in it have no effect)",
  }),
  outputDir: field(path(), "trainer_output", { group: "output", help: "the folder of the run: adapter, checkpoints, metrics" }),
  overwriteOutputDir: field(boolean(), false, { group: "output", help: "removes the files of an earlier run in that folder" }),
  resumeFromCheckpoint: field(orNull(booleanOrPath()), null, {
    group: "output",
    help: "goes on from a checkpoint: true for the newest, a name in output_dir, or a folder",
  }),
  reportTo: field(orNull(names("names of reporting services, or none")), null, {
    group: "logging",
    fate: "different",
    help: "no effect: there are no reporting services here, and metrics.jsonl holds every number",
    notes: "a note says so where it names one",
  }),
  pushToHub: field(boolean(), false, { group: "logging", fate: "refused", help: "uploads are not part of this version" }),
  hubModelId: field(orNull(text()), null, { group: "logging", fate: "different", help: "no effect without push_to_hub" }),
};
