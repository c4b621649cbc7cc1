/** Longest value shown; a card is read by people. */
const MAX_LENGTH = 300;

/** A value as one line of text, that Markdown and HTML take for nothing else. */
export function plain(value: string): string {
  return oneLine(value).replace(/[\\`*_[\]<>|~$#!&]/g, (character) =>
    character === "<" ? "&lt;" : character === "&" ? "&amp;" : `\\${character}`,
  );
}

/** A value as it is, on one line, for a cell of a table too. */
export function code(value: string): string {
  const text = oneLine(value).replaceAll("|", "\\|");
  const longest = Math.max(0, ...[...text.matchAll(/`+/g)].map(([run]) => run.length));
  if (longest === 0) return `\`${text}\``;
  const fence = "`".repeat(longest + 1);
  return `${fence} ${text} ${fence}`;
}

/** A table of two columns, its cells as they are. */
export function table(head: readonly [string, string], rows: readonly (readonly [string, string])[]): string[] {
  return [`| ${head.join(" | ")} |`, "| --- | --- |", ...rows.map((row) => `| ${row.join(" | ")} |`), ""];
}

/** A number as a person reads it: four digits, more where it is a count. */
export function numberText(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(4)));
}

function oneLine(value: string): string {
  const text = value.replace(/[\s\u0000-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\u2066-\u2069]+/g, " ").trim();
  return text.length > MAX_LENGTH ? `${text.slice(0, MAX_LENGTH - 1)}…` : text;
}
