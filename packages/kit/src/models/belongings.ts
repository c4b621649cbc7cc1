import { readExactly, type ByteDirectory } from "@kto/core";
import type { ModelFiles } from "./model-files.js";

/** Files of a tokenizer and its template, by the names that transformers gives them; `tokenizer.json` tells that there is one. */
const tokenizerNames: readonly string[] = [
  "tokenizer.json",
  "tokenizer_config.json",
  "special_tokens_map.json",
  "added_tokens.json",
  "vocab.json",
  "merges.txt",
  "chat_template.jinja",
  "chat_template.json",
];

/** What else goes wherever a model goes. */
export const licenceNames: readonly string[] = ["LICENSE", "LICENSE.txt", "LICENSE.md", "LICENCE", "NOTICE", "NOTICE.txt"];

/** Files by name. */
type Files = ReadonlyMap<string, string | Uint8Array>;

/** The tokenizer's files in a directory; undefined where there is no `tokenizer.json`. */
export async function tokenizerFilesIn(directory: ByteDirectory): Promise<Files | undefined> {
  const files = await filesIn(directory, tokenizerNames);
  return files.has("tokenizer.json") ? files : undefined;
}

/**
 * What belongs to a model besides its weights and config: tokenizer files (these, else its own, else those of the model that it was quantised from),
 * `generation_config.json`, licence.
 */
export async function belongingsOf(
  model: ModelFiles,
  { tokenizer, base }: { tokenizer?: Files | undefined; base?: ModelFiles | undefined } = {},
): Promise<{ files: Files; from: "model" | "base" | undefined }> {
  const own = tokenizer ? undefined : await tokenizerFilesIn(model.directory);
  const ofBase = !tokenizer && !own && base ? await tokenizerFilesIn(base.directory) : undefined;
  const templates = [...((own ? model : ofBase ? base : undefined)?.tokenizer?.files() ?? [])].filter(([name]) => name.includes("/"));
  const files = new Map([...(tokenizer ?? own ?? ofBase ?? []), ...templates]);
  for (const { directory } of base ? [base, model] : [model])
    // what the model has of its own comes last, and counts
    for (const [name, content] of await filesIn(directory, ["generation_config.json", ...licenceNames])) files.set(name, content);
  return { files, from: own ? "model" : ofBase && "base" };
}

async function filesIn(directory: ByteDirectory, names: readonly string[]): Promise<Map<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const name of names) {
    const source = await directory.open(name);
    if (source) files.set(name, await readExactly(source, 0, source.byteLength));
    await source?.dispose?.();
  }
  return files;
}
