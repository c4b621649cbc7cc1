import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { DataFileError, type DataRow, type Dataset } from "@kto/datasets";
import { loadDataset } from "@kto/datasets/node";
import { ConfigError } from "../errors.js";

/** Rows of a local data file. Throws DataFileError, FormatError (with the line) for one that cannot be read or holds nothing. */
export async function openDataFile(
  path: string,
  { maxRows, signal }: { maxRows?: number | null; signal?: AbortSignal } = {},
): Promise<Dataset<DataRow>> {
  if (!existsSync(path) && /^[\w.-]+\/[\w.-]+$/.test(path) && !/\.\w+$/.test(path)) {
    throw new DataFileError(
      `data: ${path} does not exist; expected a data file, got no such path; downloads from the hub are not part of this version: download it and give the file`,
      { file: path },
    );
  }
  const dataset = await loadDataset(path, signal ? { signal } : {});
  if (dataset.length === 0)
    throw new DataFileError(`data: ${path} has no rows; expected at least 1, got 0; check that it was written completely`, { file: path });
  return maxRows === null || maxRows === undefined ? dataset : dataset.take(maxRows);
}

/** A chat template given by the user: the text itself, or a file that holds it. Throws ConfigError when it is neither. */
export async function readChatTemplate(given: string | null | undefined): Promise<string | undefined> {
  if (given === null || given === undefined) return undefined;
  if (/\{[{%]/.test(given)) return given;
  try {
    return await readFile(given, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `chat_template: not usable; expected Jinja text or a file that holds it, got ${JSON.stringify(given)} (${code === "ENOENT" ? "no such file" : code}); check the path`,
    ]);
  }
}
