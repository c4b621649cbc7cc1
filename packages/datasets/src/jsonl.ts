import { type ByteSource, FormatError, shorten } from "@kto/core";
import { Dataset, type DataRow } from "./dataset.js";
import { expectRows, readText, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/** A longer line would not fit a JavaScript string together with its neighbours. */
const MAX_LINE_LENGTH = 2 ** 28;

/**
 * Rows of JSON Lines, one object a line; blank lines are passed over.
 * Throws `FormatError` naming the line that is not a JSON object, `DataFileError` when there is no row.
 */
export async function readJsonl(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data", onProgress, signal } = options;
  const bytes = toByteSource(source);
  const limit = rowLimit("readJsonl", options.maxRows);
  const rows: DataRow[] = [];
  let line = 0;
  for await (const { lines, loadedBytes } of lineGroups(bytes, name, signal)) {
    for (const text of lines) {
      if (rows.length === limit) break;
      line += 1;
      if (text.trim() !== "") rows.push(parseLine(text, line, name));
    }
    onProgress?.({ loadedBytes, totalBytes: bytes.byteLength, rows: rows.length });
    if (rows.length === limit) break;
  }
  expectRows("readJsonl", rows.length, name);
  return Dataset.from(rows);
}

/** Complete lines, as many at once as a piece of the file brings. */
async function* lineGroups(
  source: ByteSource,
  name: string,
  signal?: AbortSignal,
): AsyncGenerator<{ lines: string[]; loadedBytes: number }> {
  let rest = "";
  for await (const { text, loadedBytes } of readText(source, name, signal)) {
    const lines = (rest + text).split("\n");
    rest = lines.pop()!;
    if (rest.length > MAX_LINE_LENGTH) {
      throw new FormatError(`readJsonl: a line of ${name} is too long; expected at most ${MAX_LINE_LENGTH} characters; is it JSON Lines?`, {
        source: name,
      });
    }
    yield { lines, loadedBytes };
  }
  if (rest !== "") yield { lines: [rest], loadedBytes: source.byteLength };
}

function parseLine(text: string, line: number, name: string): DataRow {
  const fail = (what: string, cause?: unknown): never => {
    throw new FormatError(
      `readJsonl: line ${line} of ${name} ${what}; expected one JSON object, got ${shorten(text.trim())}; mend or remove that line`,
      {
        source: name,
        line,
        cause,
      },
    );
  };
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    return fail("is not JSON", cause);
  }
  return isObject(value) ? value : fail("is not an object");
}

/** True for what `{…}` in JSON becomes. */
export function isObject(value: unknown): value is DataRow {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
