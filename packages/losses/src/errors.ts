import { type ErrorText, KtoError } from "@kto/core";

/** A loss was given arguments that do not fit together; `field` names the argument. */
export class LossInputError extends KtoError {
  override name = "LossInputError";
  readonly field: string;

  constructor(text: ErrorText, { field }: { field: string }) {
    super("LOSS_INPUT", text);
    this.field = field;
  }
}
