import type { ErrorParts } from "../errors.js";
import { excerpt } from "../excerpt.js";

/** Something wrong with a config. */
export type Mistake = UnknownField | RefusedField | UnusableValue;

/** There is no field of this name. */
export interface UnknownField {
  readonly kind: "unknown";
  /** Where it stands: its name, `--flag`, or `name (kto.yaml)`. */
  readonly place: string;
  readonly name: string;
  /** The name that was most likely meant. */
  readonly nearest: string | undefined;
}

/** A field of trl, peft or transformers that asks for what is not done here. */
export interface RefusedField {
  readonly kind: "refused";
  readonly place: string;
  readonly name: string;
  /** What it would ask for. */
  readonly why: string | undefined;
  /** What to write in its place, where there is something. */
  readonly instead?: string | undefined;
  readonly got: unknown;
}

/** A field that is missing, holds no such value, or contradicts another. In its texts `{maxLength}` is a field, which each edge spells its own way. */
export interface UnusableValue {
  readonly kind: "unusable";
  readonly place: string;
  /** The field, as declared. */
  readonly field: string;
  readonly problem: string;
  readonly expected: string;
  readonly got: string;
  /** What to do, where that is not plain. */
  readonly advice?: string | undefined;
}

/** What a rule over several fields finds. */
export type RuleMistake = Omit<UnusableValue, "kind" | "place">;

/** `not usable; expected …, got …; what to do`. */
export function mistakeText({ problem, expected, got, advice }: RuleMistake): string {
  return `${problem}; expected ${expected}, got ${got}${advice === undefined ? "" : `; ${advice}`}`;
}

/** A mistake as a library tells it: `ktoConfig: beta is not usable; expected a number above 0, got "much"`. `names` are the fields there are. */
export function libraryText(operation: string, mistake: Mistake, names: readonly string[]): ErrorParts {
  const { place } = mistake;
  if (mistake.kind === "unusable") {
    const problem = `${place === mistake.field ? `{${place}}` : place} is ${mistake.problem}`;
    return { operation, problem, expected: mistake.expected, got: mistake.got, advice: mistake.advice, fields: names };
  }
  if (mistake.kind === "refused") {
    const problem = `${place} is not supported${mistake.why === undefined ? "" : ` (${mistake.why})`}`;
    return { operation, problem, expected: "it unset", got: excerpt(mistake.got), advice: mistake.instead ?? "remove it" };
  }
  const problem = `there is no field "${mistake.name}"`;
  if (mistake.nearest !== undefined) return { operation, problem, advice: `did you mean ${mistake.nearest}?` };
  return { operation, problem, expected: `one of ${names.join(", ")}` };
}
