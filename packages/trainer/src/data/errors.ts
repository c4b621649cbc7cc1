import { KtoError } from "@kto/safetensors";

/** Rows and settings that together leave nothing to train on, or that data preparation does not take. */
export class DataPreparationError extends KtoError {
  constructor(message: string) {
    super("DATA_PREPARATION", message);
  }
}
