import type { Store } from "@kto/core";
import { adapterModelCard, saveAdapter, type PeftModel } from "@kto/lora";
import type { Tokenizer } from "../data/tokenizer.js";
import { stateFile } from "./trainer-state.js";

/** What is written of a trained model. */
export interface TrainedModel {
  model: PeftModel;
  tokenizer: Tokenizer | undefined;
  /** Jinja text that the model was trained with in place of the tokenizer's own. */
  chatTemplate: string | undefined;
  /** The method, a tag of the card. */
  tag: string;
  /** The text of `trainer_state.json`, of a model that was trained. */
  state: string | undefined;
}

/** Writes a folder that peft and transformers open: tokenizer, `trainer_state.json`, model card, and last the adapter. */
export async function saveTrained(store: Store, { model, tokenizer, chatTemplate, tag, state }: TrainedModel): Promise<void> {
  const { config, targets, embeddings } = model.activeAdapter;
  for (const [name, content] of tokenizer?.files?.() ?? []) await store.write(name, content);
  if (chatTemplate !== undefined) await store.write("chat_template.jinja", chatTemplate);
  if (state !== undefined) await store.write(stateFile, state);
  await store.write("README.md", adapterModelCard(config, [tag]));
  await saveAdapter(store, { config, targets, embeddings, weights: await model.readAdapter() });
}
