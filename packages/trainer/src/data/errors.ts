import { type ErrorText, KtoError } from "@kto/core";

/** Rows and settings that together leave nothing to train on, or that data preparation does not take. */
export class DataPreparationError extends KtoError {
  override name = "DataPreparationError";
  constructor(text: ErrorText) {
    super("DATA_PREPARATION", text);
  }
}
