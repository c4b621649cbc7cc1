import { adapterModelCard, type PeftModel } from "@kto/lora";
import type { CausalLM } from "@kto/tensor";
import { adapterReferences } from "../scoring/reference.js";
import { adapterFiles } from "./adapter-files.js";
import { TrainerUsageError } from "./errors.js";
import type { Policy } from "./policy.js";

/** The first active adapter of a model as what is trained. */
export function adapterPolicy(model: PeftModel<CausalLM>): Policy {
  return {
    device: model.device,
    base: model.base,
    get buckets() {
      return [model.activeAdapter.bucket];
    },
    files: adapterFiles(model),
    isWholeModel: false,
    withDropout: (seed, body) => model.withDropout(seed, body),
    withDropoutFrom: (row, body) => model.withDropoutFrom(row, body),
    references: (kind = "base") => adapterReferences(model, kind),
    expectTrainable: () => refuseModulesInFull(model),
    expectRoom: () => undefined, // an adapter is small beside its model: the plan tells
    noteChange: () => undefined,
    card: (tag) => adapterModelCard(model.activeAdapter.config, [tag]),
  };
}

/** Throws TrainerUsageError for an adapter of which peft would train more than its matrices. */
function refuseModulesInFull({ activeAdapter: { config } }: PeftModel): void {
  if (config.modulesToSave === null) return;
  throw new TrainerUsageError(
    `train: the adapter has modules that peft trains in full (modules_to_save), which is not done here; expected none, got ${[config.modulesToSave].flat().join(", ")}; merge it into its base (mergeAndUnload, or peft's merge_and_unload) and train a new adapter on what comes out`,
  );
}
