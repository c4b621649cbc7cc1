import { boolean, booleanOrPath, choice, field, integer, memorySize, names, number, orNull, path, text, where } from "@kto/core/config";
import { isRepoId } from "@kto/hub";

/** Fields of a run beside the trainer's: spellings of the past, memory, what is written where. */
export const runFields = {
  warmupRatio: field(orNull(number({ least: 0, below: 1 })), null, {
    group: "schedule",
    help: "transformers 4's name of a share of warm-up",
    notes: "`warmup_steps` wins",
  }),
  maxMemory: field(orNull(memorySize()), null, {
    group: "seeds",
    fate: "different",
    help: "what all GPU buffers may take together; by default what is free, where the driver tells",
    notes: "`4GiB`, `3500MB`, bytes, or transformers' map with one GPU (`cpu` and `disk` in it have no effect)",
  }),
  ranksShareGpu: field(boolean(), false, {
    group: "seeds",
    fate: "ours",
    help: "several processes of a run on one machine may have the same GPU",
  }),
  outputDir: field(path(), "trainer_output", { group: "output", help: "the folder of the run: adapter, checkpoints, metrics" }),
  overwriteOutputDir: field(boolean(), false, { group: "output", help: "removes the files of an earlier run in that folder" }),
  resumeFromCheckpoint: field(orNull(booleanOrPath()), null, {
    group: "output",
    help: "goes on from a checkpoint: true for the newest, a name in output_dir, or a folder",
  }),
  reportTo: field(orNull(names("none, all or tensorboard")), null, {
    group: "logging",
    fate: "different",
    help: "tensorboard, or all, writes event files that TensorBoard opens; metrics.jsonl holds every number anyway",
    notes: "other services are refused by name",
  }),
  loggingDir: field(orNull(path()), null, {
    group: "logging",
    help: "transformers 4's folder of event files; by default TENSORBOARD_LOGGING_DIR, else runs/<time>_<host> in output_dir",
  }),
  numPrompts: field(integer(0), 4, {
    group: "generation",
    fate: "ours",
    help: "prompts of the eval data, else of the training data, that are answered before and after training: samples.jsonl; 0 for none",
    notes: "the argument of trl's LogCompletionsCallback",
  }),
  maxNewTokens: field(integer(1), 64, {
    group: "generation",
    fate: "ours",
    help: "tokens of each of these answers at most; the likeliest is taken each time",
  }),
  pushToHub: field(boolean(), false, { group: "push", help: "pushes the folder of the run to the hub, with a model card made from it" }),
  hubModelId: field(orNull(where(text(), isRepoId, 'the name of a repository, "owner/name" or "name"')), null, {
    group: "push",
    help: "the repository; by default the last part of output_dir, and without an owner the token's user",
  }),
  hubStrategy: field(choice(["end", "every_save", "checkpoint", "all_checkpoints"]), "every_save", {
    group: "push",
    help: "when: at the end, at every checkpoint too, with the newest as last-checkpoint, or with all of them; those on the way in the background",
    notes: "what failed or was passed over comes at the end",
  }),
  hubPrivateRepo: field(orNull(boolean()), null, {
    group: "push",
    help: "whether a repository made for this is private; by default as its owner has it set",
  }),
  hubRevision: field(orNull(text()), null, { group: "push", help: "the branch, main by default; made where there is none" }),
  hubAlwaysPush: field(boolean(), false, {
    group: "push",
    help: "pushes a checkpoint also when the push of the one before has not ended: after it",
  }),
  hubToken: field(orNull(text()), null, {
    group: "push",
    help: "a token that may write; better given as HF_TOKEN: files are read by others",
    notes: "never written to `resolved_config.yaml`",
  }),
};
