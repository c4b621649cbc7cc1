import { type ErrorText, KtoError } from "@kto/core";

/** A learning-rate schedule cannot be made from what was given; `field` names the argument. */
export class ScheduleError extends KtoError {
  override name = "ScheduleError";
  readonly field: string;

  constructor(text: ErrorText, { field }: { field: string }) {
    super("SCHEDULE", text);
    this.field = field;
  }
}

/** An optimizer that is not offered; `names` are those that are. */
export class OptimizerError extends KtoError {
  override name = "OptimizerError";
  readonly given: string;
  readonly names: readonly string[];

  constructor(text: ErrorText, { given, names }: { given: string; names: readonly string[] }) {
    super("OPTIMIZER", text);
    this.given = given;
    this.names = names;
  }
}
