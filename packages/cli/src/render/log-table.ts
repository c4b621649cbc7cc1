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

/** The head of the table of logs, of as many columns as fit into `width`. */
export function tableHead(more: readonly LogColumn[], width = Infinity): string {
  return fitting([...columns.map(([title, room]) => title.padStart(room)), ...more.map(({ title, width: room }) => title.padStart(room))], width); // prettier-ignore
}

/** One log as a row of the table, of as many columns as fit into `width`. */
export function tableRow(log: TrainLog, more: readonly LogColumn[], width = Infinity): string {
  const own = columns.map(([, room, value]) => value(log).padStart(room));
  return fitting([...own, ...more.map(({ metric, width: room }) => formatNumber(log.metrics[metric], 3).padStart(room))], width);
}

function fitting(cells: readonly string[], width: number): string {
  let row = "";
  for (const cell of cells) {
    if (row.length + cell.length > width) break;
    row += cell;
  }
  return row;
}
