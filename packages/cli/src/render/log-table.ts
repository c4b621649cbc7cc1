import type { TrainLog } from "@kto/trainer";
import type { LogColumn } from "../methods/index.js";
import { formatNumber } from "./format.js";

/** Columns of every method: 41 wide. */
const columns: readonly (readonly [title: string, width: number, value: (log: TrainLog) => string])[] = [
  ["step", 6, ({ step }) => String(step)],
  ["epoch", 7, ({ epoch }) => epoch.toFixed(3)],
  ["loss", 9, ({ loss }) => loss.toFixed(5)],
  ["grad_norm", 10, ({ gradNorm }) => formatNumber(gradNorm)],
  ["lr", 9, ({ learningRate }) => learningRate.toExponential(2)],
];

/** The head of the table of logs. */
export function tableHead(more: readonly LogColumn[]): string {
  return [...columns, ...more.map(({ title, width }) => [title, width] as const)].map(([title, width]) => title.padStart(width)).join("");
}

/** One log as a row of the table. */
export function tableRow(log: TrainLog, more: readonly LogColumn[]): string {
  const own = columns.map(([, width, value]) => value(log).padStart(width));
  return [...own, ...more.map(({ metric, width }) => formatNumber(log.metrics[metric], 3).padStart(width))].join("");
}
