import type { Fields } from "./field.js";
import type { OtherFields } from "./other-field.js";
import { diskName } from "./spelling.js";

/** A field in words, for help and tables. */
export interface FieldDescription {
  /** In files and flags. */
  name: string;
  aliases: readonly string[];
  group: string;
  expected: string;
  isRequired: boolean;
  /** The default as text; undefined where nothing is assumed. */
  initial: string | undefined;
  help: string;
  notes: string | undefined;
  fate: "supported" | "different" | "ours" | "refused";
}

/** Fields in words, in their order; those that libraries have alone are left out. */
export function describeFields(fields: Fields): FieldDescription[] {
  return Object.entries(fields).flatMap(([key, declared]): FieldDescription[] => {
    const name = diskName(key, declared);
    if (name === undefined) return [];
    const { aliases = [], group, expected, isRequired, help, notes, fate = "supported", initial } = declared;
    const isSaid = !isRequired && initial !== null && initial !== undefined;
    return [{ name, aliases, group, expected, isRequired, initial: isSaid ? valueText(initial) : undefined, help, notes, fate }];
  });
}

function valueText(value: unknown): string {
  if (typeof value === "number" && value !== 0 && Math.abs(value) < 1e-4) return value.toExponential();
  return typeof value === "string" ? value : JSON.stringify(value);
}

/** The table of fields in Markdown: name, what becomes of it here, default, what it means. */
export function fieldTable(fields: Fields): string[] {
  return describedTable(describeFields(fields));
}

/** The same of fields in words, with a further column after the name where one is asked for. */
export function describedTable<Described extends FieldDescription>(
  described: readonly Described[],
  column?: { title: string; cell(one: Described): string },
): string[] {
  const more = (text: string): string => (column === undefined ? "" : ` ${text} |`);
  const rows = described.map((one) => {
    const { name, fate, initial, isRequired, help, notes } = one;
    const about = notes === undefined ? help : `${help}; ${notes}`;
    const cell = more(column?.cell(one) ?? "");
    return `| \`${name}\` |${cell} ${fate} | ${isRequired ? "required" : `\`${initial ?? "null"}\``} | ${tableCell(about)} |`;
  });
  return [`| field |${more(column?.title ?? "")} here | default | what it means |`, `| --- |${more("---")} --- | --- | --- |`, ...rows];
}

/** A text as it stands in a cell of a table in Markdown: its bars and, outside of code, its angle brackets are no markup. */
export function tableCell(text: string): string {
  const parts = text.replaceAll("|", "\\|").split(/(`[^`]*`)/);
  return parts.map((part) => (part.startsWith("`") ? part : part.replaceAll("<", "&lt;"))).join("");
}

/** Rows of that table for other fields, with the values that are written for them. */
export function otherFieldRows(others: OtherFields, written: Readonly<Record<string, unknown>> = {}): string[] {
  return Object.entries(others).map(([name, { fate, why }]) => {
    const initial = Object.hasOwn(written, name) ? `\`${JSON.stringify(written[name])}\`` : "";
    return `| \`${name}\` | ${fate} | ${initial} | ${why ?? ""} |`;
  });
}
