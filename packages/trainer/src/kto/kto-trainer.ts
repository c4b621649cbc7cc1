import { ktoConfig, type KTOConfig } from "../config/kto-config.js";
import { Trainer } from "../loop/trainer.js";
import { expectOptions } from "../loop/trained-model.js";
import type { SharedTrainerOptions } from "../loop/trainer-options.js";
import type { ReferenceKind } from "../scoring/reference.js";
import { ktoMethod } from "./kto-method.js";
import type { KtoRow, PreparedKtoDataset } from "./prepare-kto-dataset.js";

/** What `KTOTrainer` is made of. */
export interface KTOTrainerOptions extends SharedTrainerOptions<PreparedKtoDataset> {
  args?: Partial<KTOConfig> | undefined;
  /** Default `initial`: the adapter as the run finds it. */
  reference?: ReferenceKind | undefined;
}

/**
 * KTO training with the numbers of trl 1.16: its KL pairing and passes, and what every `Trainer` does. Throws TrainerConfigError for arguments and TrainerUsageError for options that
 * cannot work.
 */
export class KTOTrainer extends Trainer<KtoRow, PreparedKtoDataset, KTOConfig> {
  constructor(options: KTOTrainerOptions) {
    const { args: given, reference, ...shared } = expectOptions("KTOTrainer", options);
    const args = ktoConfig(given);
    super({ ...shared, name: "KTOTrainer", args, method: ktoMethod(args, reference) });
  }
}
