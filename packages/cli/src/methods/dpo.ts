import type { Values } from "@kto/core/config";
import {
  dpoConfig,
  dpoContradictions,
  dpoFields,
  DPOTrainer,
  preparePairDataset,
  type DPOConfig,
  type PreparedPairDataset,
} from "@kto/trainer";
import { referenceField } from "../config/reference-field.js";
import { formatCounted } from "../render/format.js";
import type { TrainMethod } from "./method.js";
import { rewardColumns } from "./reward-columns.js";

const moreFields = { reference: referenceField };

/** Pairs of answers to one prompt, of which one is better. */
export const dpoTrainMethod: TrainMethod<DPOConfig, Values<typeof moreFields>, PreparedPairDataset> = {
  name: "dpo",
  title: "DPO",
  trainsOn: "pairs of answers, a better and a worse one",
  unit: "pair",
  sequence: "an answer with its prompt",
  fields: dpoFields,
  moreFields,
  config: dpoConfig,
  contradictions: dpoContradictions,
  prepare: (dataset, options) => preparePairDataset(dataset, options),
  trainer: ({ more: { reference }, ...options }) => new DPOTrainer({ ...options, reference }),
  describe: ({ rows }) => ({ rows: formatCounted(rows.length, "pair"), warnings: [] }),
  display: () => ({
    columns: [...rewardColumns, { title: "accuracy", metric: "rewards/accuracies", width: 9 }],
    bar: { title: "margin", metric: "rewards/margins" },
    evaluation: [
      { title: "margins", metric: "rewards/margins" },
      { title: "accuracy", metric: "rewards/accuracies" },
    ],
  }),
};
