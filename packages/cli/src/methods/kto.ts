import { field, integer, orNull, pickFields, type Values } from "@kto/core/config";
import {
  describeBalance,
  ktoConfig,
  ktoContradictions,
  ktoFields,
  KTOTrainer,
  prepareKtoDataset,
  type KTOConfig,
  type PreparedKtoDataset,
} from "@kto/trainer";
import { referenceField } from "../config/reference-field.js";
import { fieldName } from "../errors.js";
import { formatCount, formatCounted } from "../render/format.js";
import { ktoCheck, ktoView } from "./kto-data.js";
import type { TrainMethod } from "./method.js";
import { rewardColumns } from "./reward-columns.js";

/** Fields that the command reads for KTO besides its trainer's. */
export const ktoMoreFields = {
  reference: referenceField,
  dataSeed: field(orNull(integer(0)), null, {
    group: "seeds",
    fate: "different",
    help: "no effect",
    notes: "the order of KTO is the file's",
  }),
};

const dataFields = ["perDeviceTrainBatchSize", "lossType", "desirableWeight", "undesirableWeight"] as const;

const klAtZero =
  "kl 0: the policy rates other rows' completions no higher than the reference does. The estimate never falls below 0, and runs that learn often stay there.";

/** Single answers, each with a label. */
export const ktoTrainMethod: TrainMethod<KTOConfig, Values<typeof ktoMoreFields>, PreparedKtoDataset> = {
  name: "kto",
  title: "KTO",
  trainsOn: "answers that are labelled good or bad",
  unit: "row",
  sequence: "a row",
  completions: "completions",
  fields: ktoFields,
  moreFields: ktoMoreFields,
  config: ktoConfig,
  contradictions: ktoContradictions,
  dataFields,
  prepare: (dataset, options, args) => prepareKtoDataset(dataset, { ...options, ...pickFields(args, ...dataFields) }),
  view: (dataset, options, args) => ktoView(dataset, { ...options, ...pickFields(args, ...dataFields) }),
  check: ktoCheck,
  trainer: ({ more: { reference }, ...options }) => new KTOTrainer({ ...options, reference }),
  describe({ rows, classBalance }) {
    const { desirable, undesirable } = classBalance;
    const warning = describeBalance(classBalance, fieldName);
    return {
      rows: `${formatCounted(rows.length, "row")}: ${formatCount(desirable)} desirable, ${formatCount(undesirable)} undesirable`,
      warnings: warning === undefined ? [] : [warning],
    };
  },
  display({ lossType }) {
    const estimatesKl = lossType === "kto";
    return {
      columns: [...rewardColumns, ...(estimatesKl ? [{ title: "kl", metric: "kl", width: 8 }] : [])],
      bar: { title: "margin", metric: "rewards/margins" },
      evaluation: [{ title: "margins", metric: "rewards/margins" }, ...(estimatesKl ? [{ title: "kl", metric: "kl" }] : [])],
      ...(estimatesKl && { explain: ({ metrics }) => (metrics["kl"] === 0 ? klAtZero : undefined) }),
    };
  },
};
