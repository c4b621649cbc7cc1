import type { Command } from "../commands/command.js";
import { maxWidth, wrap } from "./console.js";

const commonFlags: readonly (readonly [string, string])[] = [
  ["--device auto|gpu|software", "where to compute; also KTO_DEVICE"],
  ["--json", "exactly one JSON value (or JSON lines) on stdout"],
  ["--quiet", "warnings and errors only on stderr"],
  ["--debug", "a stack with errors"],
  ["--help", "this text"],
];

/** `kto --help`. */
export function programHelp(commands: readonly Command[], notBuilt: Readonly<Record<string, string>>): string {
  return text([
    "kto: fine-tunes language models with KTO, on WebGPU",
    "",
    "usage: kto COMMAND [FLAGS]",
    "",
    ...table(commands.map(({ name, summary }) => [name, summary])),
    "",
    "not built in this version:",
    ...table(Object.entries(notBuilt)),
    "",
    "every command takes:",
    ...table(commonFlags),
    "",
    "kto COMMAND --help says what a command takes",
  ]);
}

/** `kto COMMAND --help`: each field with what it may be and its default. */
export function commandHelp({ name, summary, usage, fields }: Command): string {
  const rows = Object.entries(fields).map(
    ([field, { expected, initial }]) => [`--${field}`, `${expected}${initial === null ? "" : ` (${JSON.stringify(initial)})`}`] as const,
  );
  return text([
    `kto ${name}: ${summary}`,
    "",
    ...wrap(usage, maxWidth - 7).map((part, index) => `${index === 0 ? "usage: " : " ".repeat(7)}${part}`),
    "",
    ...table(rows),
    ...(rows.length === 0 ? [] : [""]),
    "every command takes:",
    ...table(commonFlags),
  ]);
}

function table(rows: readonly (readonly [string, string])[]): string[] {
  const column = Math.max(0, ...rows.map(([name]) => name.length)) + 4;
  return rows.flatMap(([name, about]) =>
    wrap(about, maxWidth - column).map((part, index) => `${(index === 0 ? `  ${name}` : "").padEnd(column)}${part}`),
  );
}

function text(lines: readonly string[]): string {
  return `${lines.join("\n")}\n`;
}
