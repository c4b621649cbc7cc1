import { KtoError } from "@kto/tensor";

/** A learning-rate schedule cannot be made from what was given; `field` names the argument. */
export class ScheduleError extends KtoError {
  readonly field: string;

  constructor(message: string, { field }: { field: string }) {
    super("SCHEDULE", message);
    this.field = field;
  }
}
