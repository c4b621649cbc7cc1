import type { TrainLog } from "@kto/trainer";
import { formatNumber } from "./format.js";

const columns: readonly (readonly [title: string, width: number, value: (log: TrainLog) => string])[] = [
  ["step", 6, ({ step }) => String(step)],
  ["epoch", 7, ({ epoch }) => epoch.toFixed(3)],
  ["loss", 9, ({ loss }) => loss.toFixed(5)],
  ["grad_norm", 10, ({ gradNorm }) => formatNumber(gradNorm)],
  ["lr", 9, ({ learningRate }) => learningRate.toExponential(2)],
  ["chosen", 9, ({ rewards }) => signed(rewards.chosen)],
  ["rejected", 9, ({ rewards }) => signed(rewards.rejected)],
  ["margins", 9, ({ rewards }) => signed(rewards.margins)],
  ["kl", 8, ({ metrics }) => formatNumber(metrics["kl"], 3)],
];

/** The head of the table of logs: 76 columns. */
export const tableHead: string = columns.map(([title, width]) => title.padStart(width)).join("");

/** One log as a row of the table. */
export function tableRow(log: TrainLog): string {
  return columns.map(([, width, value]) => value(log).padStart(width)).join("");
}

function signed(value: number | undefined): string {
  return value === undefined ? "–" : formatNumber(value, 3);
}
