import { excerpt, FormatError, shorten } from "@kto/core";
import { Dataset, type DataRow } from "./dataset.js";
import { isObject } from "./jsonl.js";
import { expectRows, readText, rowLimit, toByteSource, type DataSource, type ReadOptions } from "./source.js";

/** The longest text a JavaScript engine keeps in one string is about this; JSON Lines has no such limit. */
const MAX_JSON_BYTES = 2 ** 29 - 24;

/**
 * Rows of a JSON file that holds one array of objects.
 * Throws `FormatError` when it does not, naming the element that is no object, and `DataFileError` when the array is empty.
 */
export async function readJson(source: DataSource, options: ReadOptions = {}): Promise<Dataset> {
  const { name = "data", onProgress, signal } = options;
  const limit = rowLimit("readJson", options.maxRows);
  const bytes = toByteSource(source);
  if (bytes.byteLength > MAX_JSON_BYTES) {
    throw new FormatError(
      `readJson: ${name} is too large to read at once; expected at most ${MAX_JSON_BYTES} bytes, got ${bytes.byteLength}; save it as JSON Lines`,
      {
        source: name,
      },
    );
  }
  let text = "";
  for await (const chunk of readText(bytes, name, signal)) text += chunk.text;
  expectRows("readJson", text.trim().length, name);
  const rows = parseRows(text, name).slice(0, limit);
  expectRows("readJson", rows.length, name);
  onProgress?.({ loadedBytes: bytes.byteLength, totalBytes: bytes.byteLength, rows: rows.length });
  return Dataset.from(rows);
}

function parseRows(text: string, name: string): DataRow[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      `readJson: ${name} is not JSON; expected an array of objects, got ${shorten(text.trim())} (${(cause as Error).message}); mend the file`,
      {
        source: name,
        cause,
      },
    );
  }
  if (!Array.isArray(value)) {
    throw new FormatError(
      `readJson: ${name} is not an array; expected [{…}, …], got ${excerpt(value)}; put the rows in one array, or use JSON Lines`,
      { source: name },
    );
  }
  const wrong = value.findIndex((row) => !isObject(row));
  if (wrong >= 0) {
    throw new FormatError(
      `readJson: element ${wrong} of ${name} is not an object; expected {…}, got ${excerpt(value[wrong])}; mend or remove it`,
      { source: name },
    );
  }
  return value as DataRow[];
}
