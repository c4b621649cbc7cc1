import { orpoConfig, type ORPOConfig } from "../config/orpo-config.js";
import { expectOptions } from "../loop/trained-model.js";
import { Trainer } from "../loop/trainer.js";
import type { SharedTrainerOptions } from "../loop/trainer-options.js";
import type { PairRow, PreparedPairDataset } from "../pairs/prepare-pair-dataset.js";
import { orpoMethod } from "./orpo-method.js";

/** What `ORPOTrainer` is made of. */
export interface ORPOTrainerOptions extends SharedTrainerOptions<PreparedPairDataset> {
  args?: Partial<ORPOConfig> | undefined;
}

/**
 * ORPO training on pairs: fine-tuning and preference in one, without a reference, with trl's numbers; and what every `Trainer` does. Throws TrainerConfigError for arguments and
 * TrainerUsageError for options that cannot work.
 */
export class ORPOTrainer extends Trainer<PairRow, PreparedPairDataset, ORPOConfig> {
  constructor(options: ORPOTrainerOptions) {
    const { args: given, ...shared } = expectOptions("ORPOTrainer", options);
    const args = orpoConfig(given);
    super({ ...shared, name: "ORPOTrainer", args, method: orpoMethod(args) });
  }
}
