import { dpoConfig, type DPOConfig } from "../config/dpo-config.js";
import { Trainer } from "../loop/trainer.js";
import { expectOptions } from "../loop/trained-model.js";
import type { SharedTrainerOptions } from "../loop/trainer-options.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { dpoMethod } from "./dpo-method.js";
import type { PairRow, PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";

/** What `DPOTrainer` is made of. */
export interface DPOTrainerOptions extends SharedTrainerOptions<PreparedPairDataset> {
  args?: Partial<DPOConfig> | undefined;
  /** Default `initial`: the adapter as the run finds it. */
  reference?: ReferenceKind | undefined;
}

/**
 * DPO training with any of trl's losses of pairs and its numbers, and what every `Trainer` does. Throws TrainerConfigError for arguments and TrainerUsageError for
 * options that cannot work.
 */
export class DPOTrainer extends Trainer<PairRow, PreparedPairDataset, DPOConfig> {
  constructor(options: DPOTrainerOptions) {
    const { args: given, reference, ...shared } = expectOptions("DPOTrainer", options);
    const args = dpoConfig(given);
    super({ ...shared, name: "DPOTrainer", args, method: dpoMethod(args, reference) });
  }
}
