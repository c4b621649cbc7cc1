import { FormatError, isKtoError, readExactly, type ByteDirectory, type ByteSource } from "@kto/core";
import { CheckpointError } from "./checkpoint-error.js";
import type { CheckpointFolder } from "./policy.js";

/** A checkpoint that is whole, of another run. */
class OtherRunError extends FormatError {}

/** A folder that a checkpoint of this name is read from. */
export function checkpointFolder(folder: ByteDirectory, name: string): CheckpointFolder {
  const within = async <T>(file: string, body: () => Promise<T>): Promise<T> => {
    try {
      return await body();
    } catch (cause) {
      if (cause instanceof CheckpointError || cause instanceof OtherRunError || !isKtoError(cause)) throw cause;
      throw new CheckpointError({ checkpoint: name, file, problem: cause.message }, { cause });
    }
  };
  return {
    name,
    folder,
    within,
    read: (file, use) =>
      within(file, async () => {
        const source = await folder.open(file);
        if (!source) throw new CheckpointError({ checkpoint: name, file, problem: "it is missing" });
        try {
          return await use({ name: file, byteLength: source.byteLength, slice: (start, end) => source.slice(start, end) });
        } finally {
          await source.dispose?.();
        }
      }),
    otherRun: (problem, cause) =>
      new OtherRunError(`resume: ${name} does not fit: ${problem}; resume with the settings of that run`, { source: name, cause }),
  };
}

/** True for a folder with a file of that name. */
export async function hasFile(folder: ByteDirectory, file: string): Promise<boolean> {
  const source = await folder.open(file);
  await source?.dispose?.();
  return source !== undefined;
}

/** A file as text. Throws FormatError for what is no UTF-8. */
export async function textOf(source: ByteSource): Promise<string> {
  const bytes = await readExactly(source, 0, source.byteLength);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new FormatError(`${source.name}: it is not UTF-8`, { source: source.name, cause });
  }
}
