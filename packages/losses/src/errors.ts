import { KtoError } from "@kto/tensor";

/** A loss was given arguments that do not fit together; `field` names the argument. */
export class LossInputError extends KtoError {
  readonly field: string;

  constructor(message: string, { field }: { field: string }) {
    super("LOSS_INPUT", message);
    this.field = field;
  }
}
