import { readExactly } from "./byte-source.js";
import type { ByteDirectory } from "./directory.js";

/** A file of a directory as UTF-8 text, or undefined where there is none. Throws as the directory does, SourceError when it gives another number of bytes. */
export async function readText(directory: ByteDirectory, fileName: string): Promise<string | undefined> {
  const source = await directory.open(fileName);
  if (!source) return undefined;
  try {
    return new TextDecoder().decode(await readExactly(source, 0, source.byteLength));
  } finally {
    await source.dispose?.();
  }
}
