import type { RuleMistake } from "@kto/core/config";
import type { TrainMethod } from "../methods/index.js";
import type { TrainValues } from "./train-fields.js";

/** The values, with the order of rows where the method has a choice of orders. */
type OrderValues = TrainValues & { trainSamplingStrategy?: unknown };

/** The order of rows that `shuffle_dataset` asks for. */
function orderOf(shuffles: boolean): "random" | "sequential" {
  return shuffles ? "random" : "sequential";
}

/** `shuffle_dataset` beside another `train_sampling_strategy`. */
export function orderContradictions({ fields }: TrainMethod, values: OrderValues, given: ReadonlySet<string>): RuleMistake[] {
  const { shuffleDataset, trainSamplingStrategy: order } = values;
  if (
    shuffleDataset === null ||
    (shuffleDataset && "shuffleDataset" in fields) ||
    !given.has("trainSamplingStrategy") ||
    order === orderOf(shuffleDataset)
  )
    return [];
  return [
    {
      field: "shuffleDataset",
      problem: "{trainSamplingStrategy} says another order",
      expected: `${order === "random"}, or {trainSamplingStrategy}: "${orderOf(shuffleDataset)}"`,
      got: `${shuffleDataset} and "${String(order)}"`,
      advice: "remove one",
    },
  ];
}

/** Puts `shuffle_dataset` as `train_sampling_strategy`, where the method has a choice of orders, and says what it came to. */
export function settleOrder({ title, fields }: TrainMethod, values: OrderValues): string[] {
  // True is more than an order to a trainer that has the field.
  if (values.shuffleDataset === null || (values.shuffleDataset && "shuffleDataset" in fields)) return [];
  const order = orderOf(values.shuffleDataset);
  const written = `shuffle_dataset: ${values.shuffleDataset}`;
  values.shuffleDataset = null;
  if (!("trainSamplingStrategy" in fields)) return [`shuffle_dataset has no effect on ${title}, whose rows keep the file's order`];
  values.trainSamplingStrategy = order;
  return [`${written} means train_sampling_strategy: ${order}`];
}
