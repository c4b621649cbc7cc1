import type { ByteDirectory } from "@kto/core";
import { readTokenizerFiles } from "./directory.js";
import { Tokenizer } from "./tokenizer.js";

/**
 * The tokenizer of a model directory in the Hugging Face layout: anything that opens files by name (a folder, a URL, the files a user picked, a repository
 * of the hub). `tokenizer.json` must be there; `tokenizer_config.json`, `special_tokens_map.json`, `generation_config.json` and `chat_template.jinja` are
 * read where they exist. Throws `TokenizerError` for a missing file, or one that cannot be read or parsed.
 */
export async function loadTokenizer(directory: ByteDirectory): Promise<Tokenizer> {
  return Tokenizer.fromFiles(await readTokenizerFiles("loadTokenizer", directory));
}
