import { FormatError, type ByteDirectory } from "@kto/core";

/** A JSON file of a directory; undefined where there is none. Throws FormatError for one that is no JSON, with `where` it is and `advice`. */
export async function readJsonFile(
  directory: ByteDirectory,
  fileName: string,
  { where, advice }: { where: string; advice: string },
): Promise<unknown> {
  const file = await directory.open(fileName);
  if (!file) return undefined;
  try {
    return JSON.parse(new TextDecoder().decode(await file.slice(0, file.byteLength))) as unknown;
  } catch (cause) {
    if (!(cause instanceof SyntaxError)) throw cause;
    throw new FormatError(`model: ${where} cannot be read; expected JSON, got "${cause.message}"; ${advice}`, {
      source: directory.name,
      cause,
    });
  } finally {
    await file.dispose?.();
  }
}
