import { KtoError } from "@kto/tensor";

/** The companions of a four-bit weight are not what the bitsandbytes format asks for. */
export class Nf4FormatError extends KtoError {
  /** Name of the tensor that is wrong or missing. */
  readonly tensor: string;

  constructor(message: string, facts: { tensor: string; cause?: unknown }) {
    super("NF4_FORMAT", message, facts.cause === undefined ? undefined : { cause: facts.cause });
    this.tensor = facts.tensor;
  }
}

/** A `quantization_config` that says something this package does not do. */
export class QuantizationConfigError extends KtoError {
  /** The field as it is spelt in config.json. */
  readonly field: string;

  constructor(message: string, facts: { field: string }) {
    super("QUANTIZATION_CONFIG", message);
    this.field = facts.field;
  }
}
