import type { ByteDirectory } from "@kto/core";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES, type TokenizerFiles } from "./files.js";

/** JavaScript keeps no longer text in one string. */
const MAX_FILE_BYTES = 2 ** 29 - 24;

/**
 * The tokenizer files of a model directory; all but `tokenizer.json` may be missing.
 * Throws `TokenizerError` when that is missing or a file gives another number of bytes; what the directory itself throws is passed on.
 */
export async function readTokenizerFiles(operation: string, directory: ByteDirectory): Promise<TokenizerFiles> {
  const read = (file: string): Promise<Uint8Array | undefined> => readWhole(operation, directory, file);
  const [tokenizerJson, tokenizerConfig, specialTokensMap, generationConfig, chatTemplate] = await Promise.all([
    read(FILE_NAMES.tokenizerJson),
    read(FILE_NAMES.tokenizerConfig),
    read(FILE_NAMES.specialTokensMap),
    read(FILE_NAMES.generationConfig),
    read(FILE_NAMES.chatTemplate),
  ]);
  if (!tokenizerJson) {
    throw new TokenizerError(
      `${operation}: ${directory.name} has no ${FILE_NAMES.tokenizerJson}; expected a fast tokenizer's file, as tokenizer.save_pretrained() writes; copy it from the base model`,
      { file: FILE_NAMES.tokenizerJson, directory: directory.name },
    );
  }
  return { tokenizerJson, tokenizerConfig, specialTokensMap, generationConfig, chatTemplate };
}

async function readWhole(operation: string, directory: ByteDirectory, file: string): Promise<Uint8Array | undefined> {
  const { name } = directory;
  const source = await directory.open(file);
  if (!source) return undefined;
  const expectBytes = (holds: boolean, expected: string, got: number): void => {
    if (!holds) {
      throw new TokenizerError(`${operation}: ${file} in ${name} cannot be read; expected ${expected} bytes, got ${got}; copy it again`, {
        file,
        directory: name,
      });
    }
  };
  try {
    const { byteLength } = source;
    expectBytes(byteLength <= MAX_FILE_BYTES, `at most ${MAX_FILE_BYTES}`, byteLength);
    const bytes = await source.slice(0, byteLength);
    expectBytes(bytes.byteLength === byteLength, String(byteLength), bytes.byteLength);
    return bytes;
  } finally {
    await source.dispose?.();
  }
}
