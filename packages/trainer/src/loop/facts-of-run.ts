import type { RowSequence } from "../data/row-sequence.js";
import type { SourceRow } from "../data/rows.js";
import { onFirstRank } from "./agreement.js";
import { isStoppedEarly } from "./best-model.js";
import { placeChange, settingDifferences } from "./differences.js";
import { TrainerUsageError } from "./errors.js";
import { findCheckpoint } from "./find-checkpoint.js";
import { planMemoryOfRun } from "./memory-of-run.js";
import { expectLogged } from "./metric-names.js";
import type { RunFacts } from "./planned-run.js";
import { planRun } from "./run-plan.js";
import { offloadEmbedding } from "./offload-embedding.js";
import { openRunParts, runSchedule, updatesWith, useOfReference, type RunSetting } from "./run-parts.js";
import type { PlanOptions } from "./trainer-options.js";

/** What a run is asked to be. */
export interface AskedRun<Row> extends Pick<PlanOptions, "resumeFrom"> {
  /** Prepares a dataset, if that was not done. */
  rowsOf(split: "train" | "eval"): Promise<RowSequence<Row>>;
}

/** Rehearses a run: what it will count and hold, and what it goes on from. What it opens for that is gone again. Throws as `Trainer.plan`. */
export async function factsOfRun<Row extends SourceRow>(
  setting: RunSetting<Row>,
  { rowsOf, resumeFrom }: AskedRun<Row>,
): Promise<RunFacts> {
  const { method, args, policy, collective, output, emit } = setting;
  policy.expectTrainable();
  if (args.loadBestModelAtEnd && !output)
    throw new TrainerUsageError(
      "train: loadBestModelAtEnd takes the best model from its checkpoint, and there is no place for checkpoints; expected an output, got none; pass output",
    );
  await onFirstRank(collective, "use the output", async () => output?.check?.({ resumes: resumeFrom !== undefined }));
  const rows = await rowsOf("train");
  const evalRows = args.evalStrategy === "no" ? [] : await rowsOf("eval");
  const counts = planRun(rows.length, args, collective.size);
  const schedule = runSchedule(args, counts);
  const use = useOfReference(setting);
  policy.expectRoom(args, { keepsReference: use === "throughout" });
  const references = await policy.references(method.reference, [use]);
  await offloadEmbedding(setting);
  using parts = await openRunParts(setting, references);
  const { files } = policy;
  const { checkpoint, damaged } = await findCheckpoint(resumeFrom, output?.store, { files, optimizer: parts.optimizer });
  for (const { checkpoint: name, file, problem } of damaged) emit({ type: "checkpointDamaged", name, file, problem });
  const before = checkpoint?.state.progress;
  const startStep = before?.globalStep ?? 0;
  const isAtEnd = before !== undefined && (startStep >= counts.totalUpdates || isStoppedEarly(before.best, args));
  const context = { model: policy, reference: parts.reference };
  const memory = planMemoryOfRun<Row>({ ...updatesWith(setting, counts), ...parts, context }, { rows, evalRows, startStep });
  expectLogged(args, { method, context }, evalRows);
  return {
    counts,
    numWarmupUpdates: schedule.numWarmupUpdates,
    memory,
    checkpoint,
    damaged,
    differences: checkpoint
      ? [
          ...settingDifferences(checkpoint.state.settings, {
            method: method.name,
            numRows: rows.length,
            numRanks: collective.size,
            args: { ...args },
          }),
          ...checkpoint.policy.differences(args),
        ]
      : [],
    placeChange: placeChange(checkpoint?.state.settings, counts, startStep),
    isFinished: isAtEnd && !before.owesEvaluation,
  };
}
