import { homedir } from "node:os";
import { excerpt } from "@kto/core";
import {
  checkFields,
  mistakeText,
  path,
  readValue,
  spellOnDisk,
  type CheckedFields,
  type Fields,
  type GivenFields,
  type Mistake,
  type Values,
} from "@kto/core/config";
import type { CommandInput } from "../commands/command.js";
import { ConfigError } from "../errors.js";
import type { Io } from "../io.js";
import { otherFields } from "./other-fields.js";

/** Flags that every command takes. */
export const commonFlagNames: readonly string[] = ["device", "json", "quiet", "debug", "help"];

/** Checks what a command was given against its fields; `~` in paths is the home of `env`. */
export function checkGiven<Declared extends Fields>(
  fields: Declared,
  given: GivenFields,
  env: Io["env"],
  moreFlags: readonly string[] = [],
): CheckedFields<Declared> {
  const home = homeOf(env);
  return checkFields(fields, given, { spelling: "disk", others: otherFields, moreFlags: [...commonFlagNames, ...moreFlags], home });
}

/** A path with `~` at its beginning made whole. */
export function withHome(given: string, env: Io["env"]): string {
  return readValue(path(), given, homeOf(env)) as string;
}

function homeOf(env: Io["env"]): string {
  return env["HOME"] || homedir();
}

/** The values of a command; notes are printed. Throws ConfigError with every mistake, those the command itself found among them; `lineOf` may say one its own way. */
export function commandValues<Declared extends Fields>(
  command: string,
  fields: Declared,
  { fields: given, io, console }: CommandInput,
  mistakes: readonly string[] = [],
  lineOf: (mistake: Mistake) => string | undefined = () => undefined,
): Values<Declared> {
  const checked = checkGiven(fields, given, io.env);
  const all = [...checked.mistakes.map((mistake) => lineOf(mistake) ?? mistakeLine(command, fields, mistake)), ...mistakes];
  if (all.length > 0) throw new ConfigError(all);
  for (const note of checked.notes) console.note(note);
  return checked.values;
}

/** A mistake as the command tells it: `--beta: not usable; expected a number above 0, got "much"`. */
export function mistakeLine(command: string, fields: Fields, mistake: Mistake): string {
  const { place } = mistake;
  if (mistake.kind === "unusable") return `${place}: ${spellOnDisk(fields, mistakeText(mistake))}`;
  if (mistake.kind === "refused") {
    const { why = "a field of trl, peft or transformers that kto does not have", instead = "remove it" } = mistake;
    return `${place}: ${why}; expected it unset, got ${excerpt(mistake.got)}; ${instead}`;
  }
  const advice =
    mistake.nearest === undefined ? `expected one that kto ${command} --help lists; remove it` : `did you mean ${mistake.nearest}?`;
  return `${place}: there is no such field; ${advice}`;
}

/** A mistake where a command takes no words beside its flags. */
export function expectNoOperands(command: string, operands: readonly string[]): string[] {
  return operands.length === 0
    ? []
    : [`${command}: not usable; expected flags only, got ${excerpt(operands.join(" "))}; see kto ${command} --help`];
}
