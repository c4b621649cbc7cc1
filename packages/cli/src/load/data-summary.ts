import { describeDrops, lengthHistogram } from "@kto/trainer";
import { fieldName } from "../errors.js";
import type { PreparedData } from "../methods/index.js";

/** What only some methods tell of their data. */
interface MoreOfData {
  classBalance?: { desirable: number; undesirable: number };
  sequenceLengths?: readonly number[];
}

/** The text of `data_summary.json`: what is trained on, for reports. Names in it are spelt as in other files of a run. */
export function formatDataSummary(prepared: PreparedData & MoreOfData): string {
  const { rows, dropped, lengths, classBalance, sequenceLengths } = prepared;
  const summary = {
    counts: { prepared: rows.length, dropped: dropped.length },
    drops: describeDrops(dropped, fieldName),
    lengths,
    ...(classBalance && { class_balance: { desirable: classBalance.desirable, undesirable: classBalance.undesirable } }),
    ...(sequenceLengths && { histogram: lengthHistogram(sequenceLengths) }),
  };
  return `${JSON.stringify(summary, null, 2)}\n`;
}
