import { readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ByteDirectory } from "@kto/core";
import { readTokenizerFiles } from "./directory.js";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES } from "./files.js";
import { Tokenizer } from "./tokenizer.js";

/**
 * The tokenizer of a model directory in the Hugging Face layout: a path, or anything that opens files by name (`hub("owner/name")` of `@kto/hub`).
 * `tokenizer.json` must be there; `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json` and `chat_template.jinja` are read
 * where they exist. Throws `TokenizerError` for a missing directory or file, or one that cannot be read or parsed.
 */
export async function loadTokenizer(directory: string | ByteDirectory): Promise<Tokenizer> {
  return Tokenizer.fromFiles(
    await readTokenizerFiles("loadTokenizer", typeof directory === "string" ? await folder(directory) : directory),
  );
}

async function folder(path: string): Promise<ByteDirectory> {
  const isDirectory = await stat(path).then(
    (found) => found.isDirectory(),
    () => false,
  );
  if (!isDirectory) {
    throw new TokenizerError(`loadTokenizer: there is no directory ${path}; expected a model in Hugging Face layout`, {
      file: FILE_NAMES.tokenizerJson,
      directory: path,
    });
  }
  return {
    name: path,
    async open(fileName) {
      try {
        const bytes = new Uint8Array(await readFile(join(path, fileName)));
        return { byteLength: bytes.byteLength, slice: async (start, end) => bytes.subarray(start, end) };
      } catch (cause) {
        if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        throw new TokenizerError(`loadTokenizer: ${fileName} in ${path} cannot be read (${(cause as Error).message})`, {
          file: fileName,
          directory: path,
          cause,
        });
      }
    },
  };
}
