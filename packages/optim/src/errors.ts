import { KtoError } from "@kto/tensor";

/** A learning-rate schedule cannot be made from what was given; `field` names the argument. */
export class ScheduleError extends KtoError {
  readonly field: string;

  constructor(message: string, { field }: { field: string }) {
    super("SCHEDULE", message);
    this.field = field;
  }
}

/** An optimizer that is not offered; `names` are those that are. */
export class OptimizerError extends KtoError {
  readonly given: string;
  readonly names: readonly string[];

  constructor(message: string, { given, names }: { given: string; names: readonly string[] }) {
    super("OPTIMIZER", message);
    this.given = given;
    this.names = names;
  }
}
