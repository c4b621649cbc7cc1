import { cpoConfig, cpoContradictions, cpoFields, CPOTrainer, cpoUnread, type CPOConfig, type PreparedPairDataset } from "@kto/trainer";
import type { TrainMethod } from "./method.js";
import { onPairs } from "./pairs.js";

/** Pairs without a reference, with CPO, SimPO or AlphaPO. */
export const cpoTrainMethod: TrainMethod<CPOConfig, object, PreparedPairDataset> = {
  name: "cpo",
  title: "CPO",
  ...onPairs,
  fields: cpoFields,
  moreFields: {},
  config: cpoConfig,
  contradictions: cpoContradictions,
  unread: cpoUnread,
  trainer: ({ more: _more, ...options }) => new CPOTrainer(options),
};
