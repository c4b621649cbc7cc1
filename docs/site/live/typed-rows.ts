/** A question, an answer to it, and 👍 or 👎. */
export interface TypedRow {
  question: string;
  answer: string;
  isGood: boolean;
}

/** What was typed: rows, and lines that are none, each with its number. */
export interface TypedRows {
  rows: TypedRow[];
  problems: string[];
}

const marks: ReadonlyMap<string, boolean> = new Map([
  ["👍", true],
  ["good", true],
  ["yes", true],
  ["👎", false],
  ["bad", false],
  ["no", false],
]);

/** Reads a row a line, `12+7=19 👍`; `good` and `bad`, `yes` and `no` stand for thumbs. Blank lines are passed over. */
export function readTypedRows(text: string): TypedRows {
  const read: TypedRows = { rows: [], problems: [] };
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const [, question, answer, mark] = /^\s*([0-9+]+=)\s*([0-9+=]+)\s+(\S+?)\ufe0f?\s*$/u.exec(spaced(line)) ?? [];
    const isGood = marks.get(withoutTone(mark ?? "").toLowerCase());
    if (question !== undefined && answer !== undefined && isGood !== undefined) read.rows.push({ question, answer, isGood });
    else
      read.problems.push(
        `line ${index + 1}: expected a question, an answer and a thumb, as in 12+7=19 👍; got ${line.trim().slice(0, 40)}`,
      );
  }
  return read;
}

/** A row as its line. */
export function typedLine({ question, answer, isGood }: TypedRow): string {
  return `${question}${answer} ${isGood ? "👍" : "👎"}`;
}

/** The rows as a file of JSON Lines in the layout of the demo's data: conversations, which the model's template renders. */
export function typedFile(rows: readonly TypedRow[]): File {
  const lines = rows.map(({ question, answer, isGood }) =>
    JSON.stringify({
      prompt: [{ role: "user", content: question }],
      completion: [{ role: "assistant", content: answer }],
      label: isGood,
    }),
  );
  return new File([lines.map((line) => `${line}\n`).join("")], "typed.jsonl");
}

/** A thumb may stand right behind the answer. */
function spaced(line: string): string {
  return line.replace(/(👍|👎)/u, " $1");
}

function withoutTone(mark: string): string {
  return mark.replace(/[\u{1f3fb}-\u{1f3ff}]/gu, "");
}
