import { type ErrorText, KtoError } from "@kto/core";
import { checkFields, libraryText, type Fields, type RuleMistake, type Values } from "@kto/core/config";

/** An argument of the wrong type or range, or arguments that contradict each other. */
export class TrainerConfigError extends KtoError {
  override name = "TrainerConfigError";
  readonly field: string;

  constructor(text: ErrorText, field: string) {
    super("TRAINER_CONFIG", text);
    this.field = field;
  }
}

/** What more than the fields themselves a config has to hold to, and the error that says so. */
export interface ConfigRules<Config> {
  /** What contradicts what in values that are each usable. */
  contradictions?(values: Config): RuleMistake[];
  /** Default: TrainerConfigError. */
  toError?(text: ErrorText, field: string): Error;
}

/** Complete arguments: the given ones over the defaults. Throws, for `operation`, what is wrong first: an unknown field, a wrong value, a contradiction. */
export function checkConfig<Declared extends Fields>(
  operation: string,
  fields: Declared,
  given: Partial<Values<Declared>>,
  { contradictions = () => [], toError = (text, field) => new TrainerConfigError(text, field) }: ConfigRules<Values<Declared>> = {},
): Values<Declared> {
  const { values, mistakes } = checkFields(fields, { values: new Map(Object.entries(given)), places: new Map() }, { spelling: "code" });
  const contradiction = mistakes.length > 0 ? undefined : contradictions(values)[0];
  const mistake = contradiction ? ({ kind: "unusable", place: contradiction.field, ...contradiction } as const) : mistakes[0];
  if (mistake === undefined) return values;
  const field = mistake.kind === "unusable" ? mistake.field : mistake.name;
  throw toError(libraryText(operation, mistake, Object.keys(fields)), field);
}
