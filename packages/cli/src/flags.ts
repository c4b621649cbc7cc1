import { excerpt } from "@kto/core";
import { diskNames, readFlag, readUnknown, type Field, type Fields, type GivenFields } from "@kto/core/config";
import type { CommonOptions } from "./io.js";

/** A command line, taken apart. */
export interface ParsedFlags {
  operands: string[];
  fields: GivenFields;
  /** As given; undefined where nothing was said. */
  device: string | undefined;
  common: Omit<CommonOptions, "device">;
  help: boolean;
  mistakes: string[];
}

const switches = ["json", "quiet", "debug", "help"] as const;

/**
 * Takes a command line apart: `--field value`, `--field=value`, lists up to the next flag, booleans alone or with a word. Flags that are no
 * field are kept with their value: whoever checks the fields names them.
 */
export function parseFlags(argv: readonly string[], fields: Fields): ParsedFlags {
  const names = diskNames(fields);
  const takesConfig = "config" in fields;
  const values = new Map<string, unknown>();
  const places = new Map<string, string>();
  const parsed: ParsedFlags = {
    operands: [],
    fields: { values, places },
    device: undefined,
    common: { json: false, quiet: false, debug: false },
    help: false,
    mistakes: [],
  };
  const on = new Set<string>();
  for (let next = 0; next < argv.length;) {
    const token = argv[next++]!;
    if (token === "-h") on.add("help");
    if (token === "-h" || token === "--") continue;
    if (!token.startsWith("--")) {
      parsed.operands.push(token);
      continue;
    }
    const equals = token.indexOf("=");
    const name = (equals < 0 ? token.slice(2) : token.slice(2, equals)).replaceAll("-", "_");
    const inline = equals < 0 ? undefined : token.slice(equals + 1);
    if (isSwitch(name) && inline === undefined) {
      on.add(name);
      continue;
    }
    const field = fields[names.get(name) ?? ""];
    const words = inline === undefined ? followingWords(argv, next, name, field, takesConfig) : [inline];
    if (inline === undefined) next += words.length;
    if (name === "device") {
      parsed.device = words[0] ?? "";
      continue;
    }
    if (words.length === 0 && needsValue(field)) {
      parsed.mistakes.push(`--${name}: there is no value; expected ${field!.expected}, got none`);
      continue;
    }
    const given = words.length === 0 ? true : takesWords(field) ? words : words.join(" ");
    const value = field === undefined ? readUnknown(given) : readFlag(field, given);
    if (name === "config" && values.has(name) && values.get(name) !== value)
      parsed.mistakes.push(
        `--config: it is given twice; expected one file, got ${excerpt(values.get(name))} and ${excerpt(value)}; remove one`,
      );
    const before = field?.kind === "words" ? values.get(name) : undefined;
    values.set(name, Array.isArray(before) && Array.isArray(value) ? [...(before as unknown[]), ...(value as unknown[])] : value);
    places.set(name, `--${name}`);
  }
  return { ...parsed, help: on.has("help"), common: { json: on.has("json"), quiet: on.has("quiet"), debug: on.has("debug") } };
}

function isSwitch(name: string): name is (typeof switches)[number] {
  return (switches as readonly string[]).includes(name);
}

function takesWords(field: Field<unknown> | undefined): boolean {
  return field?.kind === "list" || field?.kind === "words";
}

function needsValue(field: Field<unknown> | undefined): boolean {
  return field !== undefined && field.kind !== "boolean" && field.kind !== "booleanOrText";
}

/** The words that belong to a flag without `=`. */
function followingWords(
  argv: readonly string[],
  from: number,
  name: string,
  field: Field<unknown> | undefined,
  takesConfig: boolean,
): string[] {
  const word = argv[from];
  if (word === undefined) return [];
  if (takesWords(field)) {
    // A list of a command that takes a config ends before one: `--lora_target_modules q_proj kto.yaml`.
    const endsAt = (token: string): boolean => token.startsWith("--") || (takesConfig && field?.kind === "list" && isConfigFile(token));
    const end = argv.findIndex((token, index) => index >= from && endsAt(token));
    return argv.slice(from, end < 0 ? undefined : end);
  }
  if (needsValue(field) || name === "device") return word.startsWith("--") ? [] : [word];
  const isConfig = field !== undefined && isConfigFile(word); // `--use_peft kto.yaml`
  return word.startsWith("--") || isConfig ? [] : [word];
}

function isConfigFile(word: string): boolean {
  return /\.(ya?ml|json)$/i.test(word);
}
