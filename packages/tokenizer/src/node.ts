import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";
import type { ByteDirectory, ListedDirectory } from "@kto/core";
import { TokenizerError } from "./errors.js";
import { FILE_NAMES, TEMPLATE_FOLDER } from "./files.js";
import { loadTokenizer as load } from "./load-tokenizer.js";
import type { Tokenizer } from "./tokenizer.js";

/** `loadTokenizer` of `@kto/tokenizer`, also for a path. Throws `TokenizerError` for a missing directory too. */
export async function loadTokenizer(directory: string | ByteDirectory): Promise<Tokenizer> {
  return load(typeof directory === "string" ? await folder(directory) : directory);
}

/** A folder that lists what the tokenizer looks for: its templates. */
async function folder(path: string): Promise<ListedDirectory> {
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
    async list() {
      const names = await readdir(join(path, TEMPLATE_FOLDER)).catch(() => []);
      return names.map((name) => ({ path: `${TEMPLATE_FOLDER}/${name}`, size: 0 }));
    },
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
