import { describeFields, type FieldDescription, type GivenFields } from "@kto/core/config";
import type { Command } from "../commands/command.js";
import { fieldGroups } from "../config/train-fields.js";
import { methods } from "../methods/index.js";
import { wrap } from "./console.js";

const commonFlags: readonly (readonly [string, string])[] = [
  ["--device auto|gpu|software", "where to compute; also KTO_DEVICE"],
  ["--json", "exactly one JSON value (or JSON lines) on stdout"],
  ["--quiet", "warnings and errors only on stderr"],
  ["--debug", "a stack with errors"],
  ["--help", "this text"],
];

/** `kto --help`, in lines of at most `width` columns. */
export function programHelp(commands: readonly Command[], width: number): string {
  return text([
    `kto: fine-tunes language models with ${methods.map(({ title }) => title).join(", ")}, on WebGPU`,
    "",
    "usage: kto COMMAND [FLAGS]",
    "",
    ...table(
      commands.map(({ name, summary }) => [name, summary]),
      width,
    ),
    "",
    "every command takes:",
    ...table(commonFlags, width),
    "",
    ...wrap("kto help COMMAND says what a command takes, kto --version which version this is", width),
  ]);
}

/** `kto COMMAND --help`, beside the flags that are `given` with it: what each field means, what it may be, its default, in groups; and examples. */
export function commandHelp({ name, summary, usage, examples, fields, describe }: Command, width: number, given?: GivenFields): string {
  const described = describe?.(given) ?? describeFields(fields);
  const groups = Object.entries(fieldGroups).map(([group, title]) => [title, described.filter((one) => one.group === group)] as const);
  return text([
    ...wrap(`kto ${name}: ${summary}`, width),
    "",
    ...wrap(usage, width - 7).map((part, index) => `${index === 0 ? "usage: " : " ".repeat(7)}${part}`),
    "",
    ...examples.flatMap(([line, does]) => [...indented(`${does}:`, 2, width), ...command(line, width), ""]),
    ...groups.flatMap(([title, members]) =>
      members.length === 0 ? [] : [`${title}:`, ...members.flatMap((one) => fieldLines(one, width)), ""],
    ),
    "every command takes:",
    ...table(commonFlags, width),
  ]);
}

/** A field: its names, what it may be and its default; below, what it means. */
function fieldLines({ name, aliases, expected, isRequired, initial, help }: FieldDescription, width: number): string[] {
  const names = [name, ...aliases].map((spelling) => `--${spelling}`).join(", ");
  const standing = isRequired ? "; required" : initial === undefined ? "" : `; default ${initial}`;
  const [head = "", ...more] = wrap(`${names}  ${expected}${standing}`, width - 4);
  return [`  ${head}`, ...more.map((part) => `    ${part}`), ...indented(help.replaceAll("`", ""), 6, width)];
}

/** A command line, broken with backslashes where it is long. */
function command(line: string, width: number): string[] {
  const parts = wrap(line, width - 8);
  return parts.map((part, index) => `${" ".repeat(index === 0 ? 4 : 6)}${part}${index < parts.length - 1 ? " \\" : ""}`);
}

function indented(content: string, indent: number, width: number): string[] {
  return wrap(content, width - indent).map((part) => `${" ".repeat(indent)}${part}`);
}

function table(rows: readonly (readonly [string, string])[], width: number): string[] {
  const column = Math.max(0, ...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, about]) =>
    wrap(about, width - column).map((part, index) => `${(index === 0 ? `  ${name}` : "").padEnd(column)}${part}`),
  );
}

function text(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
