import { pickFields } from "@kto/core/config";
import {
  prepareSftDataset,
  sftConfig,
  sftContradictions,
  sftFields,
  SFTTrainer,
  type PreparedSftDataset,
  type SFTConfig,
} from "@kto/trainer";
import { formatCounted } from "../render/format.js";
import type { TrainMethod } from "./method.js";
import { describePacking, describeScored, sftCheck, sftView } from "./sft-data.js";

const dataFields = [
  "completionOnlyLoss",
  "assistantOnlyLoss",
  "packing",
  "packingStrategy",
  "evalPacking",
  "datasetTextField",
  "eosToken",
  "shuffleDataset",
] as const;

/** Texts and conversations as they are to be said. */
export const sftTrainMethod: TrainMethod<SFTConfig, object, PreparedSftDataset> = {
  name: "sft",
  title: "SFT",
  trainsOn: "texts, conversations, and completions of prompts",
  unit: "row",
  sequence: "a document",
  completions: "from the first scored one on",
  fields: sftFields,
  moreFields: {},
  config: sftConfig,
  contradictions: sftContradictions,
  dataFields,
  prepare: (dataset, options, args) => prepareSftDataset(dataset, { ...options, ...pickFields(args, "seed", ...dataFields) }),
  view: (dataset, options, args) => sftView(dataset, { ...options, ...pickFields(args, "seed", ...dataFields) }),
  check: (dataset, options, { datasetTextField }) => sftCheck(dataset, { ...options, datasetTextField }),
  trainer: ({ more: _more, ...options }) => new SFTTrainer(options),
  describe({ rows, packing, tokens }) {
    const counted = packing === null ? formatCounted(rows.length, "row") : describePacking(packing, rows.length);
    return { rows: `${counted}, ${describeScored(tokens)} scored`, warnings: [] };
  },
  display: () => ({
    columns: [
      { title: "accuracy", metric: "mean_token_accuracy", width: 9 },
      { title: "entropy", metric: "entropy", width: 9 },
      { title: "num_tokens", metric: "num_tokens", width: 12 },
    ],
    bar: { title: "accuracy", metric: "mean_token_accuracy" },
    evaluation: [{ title: "accuracy", metric: "mean_token_accuracy" }],
  }),
};
