import type { Values } from "@kto/core/config";
import { dpoConfig, dpoContradictions, dpoFields, DPOTrainer, dpoUnread, type DPOConfig, type PreparedPairDataset } from "@kto/trainer";
import { referenceField } from "../config/reference-field.js";
import type { TrainMethod } from "./method.js";
import { onPairs } from "./pairs.js";

const moreFields = { reference: referenceField };

/** Pairs of answers to one prompt, of which one is better. */
export const dpoTrainMethod: TrainMethod<DPOConfig, Values<typeof moreFields>, PreparedPairDataset> = {
  name: "dpo",
  title: "DPO",
  ...onPairs,
  fields: dpoFields,
  moreFields,
  config: dpoConfig,
  contradictions: dpoContradictions,
  unread: dpoUnread,
  trainer: ({ more: { reference }, ...options }) => new DPOTrainer({ ...options, reference }),
};
