import { cpoConfig, type CPOConfig } from "../config/cpo-config.js";
import { expectOptions } from "../loop/trained-model.js";
import { Trainer } from "../loop/trainer.js";
import type { SharedTrainerOptions } from "../loop/trainer-options.js";
import type { PairRow, PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { cpoMethod } from "./cpo-method.js";

/** What `CPOTrainer` is made of. */
export interface CPOTrainerOptions extends SharedTrainerOptions<PreparedPairDataset> {
  args?: Partial<CPOConfig> | undefined;
}

/**
 * CPO training on pairs, and SimPO and AlphaPO, without a reference, with trl's numbers; and what every `Trainer` does. Throws TrainerConfigError for arguments and
 * TrainerUsageError for options that cannot work.
 */
export class CPOTrainer extends Trainer<PairRow, PreparedPairDataset, CPOConfig> {
  constructor(options: CPOTrainerOptions) {
    const { args: given, ...shared } = expectOptions("CPOTrainer", options);
    const args = cpoConfig(given);
    super({ ...shared, name: "CPOTrainer", args, method: cpoMethod(args) });
  }
}
