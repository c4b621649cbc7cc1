import { readExactly, type ByteDirectory, type Store } from "@kto/core";
import type { Tokenizer } from "../data/tokenizer.js";
import type { PolicyFiles } from "./policy.js";

/** What goes with what was trained. */
export interface Belongings {
  tokenizer: Tokenizer | undefined;
  /** Jinja text that the model was trained with in place of the tokenizer's own. */
  chatTemplate: string | undefined;
  /** The files of the model before, where what was trained is a whole model: its generation_config.json goes along. */
  modelFiles: ByteDirectory | undefined;
}

const generationConfig = "generation_config.json";

/** Writes the tokenizer's files, the template, and a model's generation_config.json as it was. */
export async function writeBelongings(store: Store, { tokenizer, chatTemplate, modelFiles }: Belongings): Promise<void> {
  for (const [name, content] of tokenizer?.files?.() ?? []) await store.write(name, content);
  if (chatTemplate !== undefined) await store.write("chat_template.jinja", chatTemplate);
  const source = await modelFiles?.open(generationConfig);
  if (!source) return;
  try {
    await store.write(generationConfig, await readExactly(source, 0, source.byteLength));
  } finally {
    await source.dispose?.();
  }
}

/** Files of a whole model with what belongs to it beside them. */
export function withBelongings(files: PolicyFiles, belongings: Belongings): PolicyFiles {
  return {
    ...files,
    async write(folder) {
      await writeBelongings(folder, belongings);
      return files.write(folder);
    },
  };
}
