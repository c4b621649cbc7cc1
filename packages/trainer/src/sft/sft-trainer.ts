import { sftConfig, type SFTConfig } from "../config/sft-config.js";
import { expectOptions, tokenizerOf } from "../loop/trained-model.js";
import { Trainer } from "../loop/trainer.js";
import type { SharedTrainerOptions } from "../loop/trainer-options.js";
import { withEosToken } from "./eos-token.js";
import type { SftRow } from "./arrange-rows.js";
import type { PreparedSftDataset } from "./prepare-sft-dataset.js";
import { sftMethod } from "./sft-method.js";

/** What `SFTTrainer` is made of. */
export interface SFTTrainerOptions extends SharedTrainerOptions<PreparedSftDataset> {
  args?: Partial<SFTConfig> | undefined;
}

/**
 * Supervised fine-tuning with trl's numbers, and what every `Trainer` does. Throws TrainerConfigError for arguments, TrainerUsageError for options that
 * cannot work, and DataPreparationError for an `eosToken` that the tokenizer does not have.
 */
export class SFTTrainer extends Trainer<SftRow, PreparedSftDataset, SFTConfig> {
  constructor(options: SFTTrainerOptions) {
    const { args: given, ...shared } = expectOptions("SFTTrainer", options);
    const args = sftConfig(given);
    const tokenizer = withEosToken(shared.tokenizer ?? (shared.model && tokenizerOf(shared.model)), args.eosToken);
    super({ ...shared, tokenizer, name: "SFTTrainer", args, method: sftMethod(args) });
  }
}
