import { orpoConfig, orpoContradictions, orpoFields, ORPOTrainer, type ORPOConfig, type PreparedPairDataset } from "@kto/trainer";
import type { TrainMethod } from "./method.js";
import { onPairs } from "./pairs.js";

/** Pairs without a reference: fine-tuning and preference in one. */
export const orpoTrainMethod: TrainMethod<ORPOConfig, object, PreparedPairDataset> = {
  name: "orpo",
  title: "ORPO",
  ...onPairs,
  fields: orpoFields,
  moreFields: {},
  config: orpoConfig,
  contradictions: orpoContradictions,
  trainer: ({ more: _more, ...options }) => new ORPOTrainer(options),
};
