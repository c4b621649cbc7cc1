import type { Store } from "@kto/core";
import { writeBelongings, type Belongings } from "./belongings.js";
import type { Policy } from "./policy.js";
import { stateFile } from "./trainer-state.js";

/** What is written of a trained model. */
export interface TrainedModel {
  policy: Policy;
  belongings: Belongings;
  /** The method, a tag of the card. */
  tag: string;
  /** The text of `trainer_state.json`, of a model that was trained. */
  state: string | undefined;
}

/** Writes a folder that peft and transformers open: tokenizer, `trainer_state.json`, model card, and last the adapter, or all weights. */
export async function saveTrained(store: Store, { policy, belongings, tag, state }: TrainedModel): Promise<void> {
  await writeBelongings(store, belongings);
  if (state !== undefined) await store.write(stateFile, state);
  await store.write("README.md", policy.card(tag));
  await policy.files.write(store);
}
