import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES } from "./files.js";
import { Tokenizer } from "./tokenizer.js";

/**
 * The tokenizer of a model directory in the Hugging Face layout. `tokenizer.json` must be there; `tokenizer_config.json`,
 * `special_tokens_map.json`, `generation_config.json` and `chat_template.jinja` are read where they exist.
 * Throws `TokenizerError` for a missing directory or file, or one that cannot be parsed.
 */
export async function loadTokenizer(directory: string): Promise<Tokenizer> {
  const isDirectory = await stat(directory).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    throw new TokenizerError(`loadTokenizer: there is no directory ${directory}; expected a model in Hugging Face layout`, {
      file: FILE_NAMES.tokenizerJson,
      directory,
    });
  }
  const read = async (file: string): Promise<Uint8Array | undefined> => {
    try {
      return new Uint8Array(await readFile(join(directory, file)));
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw new TokenizerError(`loadTokenizer: ${file} in ${directory} cannot be read (${(cause as Error).message})`, {
        file,
        directory,
        cause,
      });
    }
  };
  const [tokenizerJson, tokenizerConfig, specialTokensMap, generationConfig, chatTemplate] = await Promise.all([
    read(FILE_NAMES.tokenizerJson),
    read(FILE_NAMES.tokenizerConfig),
    read(FILE_NAMES.specialTokensMap),
    read(FILE_NAMES.generationConfig),
    read(FILE_NAMES.chatTemplate),
  ]);
  if (!tokenizerJson) {
    throw new TokenizerError(
      `loadTokenizer: ${directory} has no ${FILE_NAMES.tokenizerJson}; expected a fast tokenizer's file, as tokenizer.save_pretrained() writes; copy it from the base model`,
      { file: FILE_NAMES.tokenizerJson, directory },
    );
  }
  return Tokenizer.fromFiles({ tokenizerJson, tokenizerConfig, specialTokensMap, generationConfig, chatTemplate });
}
