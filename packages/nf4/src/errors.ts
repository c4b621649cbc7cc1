import { type ErrorText, KtoError } from "@kto/core";

/** The companions of a four-bit weight are not what the bitsandbytes format asks for. */
export class Nf4FormatError extends KtoError {
  override name = "Nf4FormatError";
  /** Name of the tensor that is wrong or missing. */
  readonly tensor: string;

  constructor(text: ErrorText, facts: { tensor: string; cause?: unknown }) {
    super("NF4_FORMAT", text, { cause: facts.cause });
    this.tensor = facts.tensor;
  }
}

/** A `quantization_config` that says something this package does not do. */
export class QuantizationConfigError extends KtoError {
  override name = "QuantizationConfigError";
  /** The field as it is spelt in config.json. */
  readonly field: string;

  constructor(text: ErrorText, facts: { field: string }) {
    super("QUANTIZATION_CONFIG", text);
    this.field = facts.field;
  }
}
