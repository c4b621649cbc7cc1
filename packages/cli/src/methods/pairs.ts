import { preparePairDataset, type PreparedPairDataset, type TrainingConfig } from "@kto/trainer";
import { formatCounted } from "../render/format.js";
import type { TrainMethod } from "./method.js";
import { pairCheck, pairView } from "./pair-data.js";
import { rewardColumns } from "./reward-columns.js";

/** What every method has in common that trains on pairs. */
export const onPairs = {
  trainsOn: "pairs of answers, a better and a worse one",
  unit: "pair",
  sequence: "an answer with its prompt",
  completions: "completions",
  dataFields: [],
  prepare: (dataset, options) => preparePairDataset(dataset, options),
  view: pairView,
  check: pairCheck,
  describe: ({ rows }) => ({ rows: formatCounted(rows.length, "pair"), warnings: [] }),
  display: () => ({
    columns: [...rewardColumns, { title: "accuracy", metric: "rewards/accuracies", width: 9 }],
    bar: { title: "margin", metric: "rewards/margins" },
    evaluation: [
      { title: "margins", metric: "rewards/margins" },
      { title: "accuracy", metric: "rewards/accuracies" },
    ],
  }),
} satisfies Partial<TrainMethod<TrainingConfig, object, PreparedPairDataset>>;
