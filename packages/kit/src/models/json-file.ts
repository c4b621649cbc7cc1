import { foreignText, FormatError, readText, shorten, type ByteDirectory } from "@kto/core";

/** A JSON file of a directory; undefined where there is none. Throws FormatError for one that is no JSON, with `where` it is and `advice`. */
export async function readJsonFile(
  directory: ByteDirectory,
  fileName: string,
  { where, advice }: { where: string; advice: string },
): Promise<unknown> {
  const text = await readText(directory, fileName);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as unknown;
  } catch (cause) {
    const got = foreignText(text) ?? `"${shorten((cause as Error).message, 120)}"; ${advice}`;
    throw new FormatError(`model: ${where} cannot be read; expected JSON, got ${got}`, {
      source: directory.name,
      cause,
    });
  }
}
