import { formatCount } from "./format.js";

/** Parts of a character, an eighth to seven eighths. */
const eighths = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];

/** A bar of a histogram. */
export interface HistogramBar {
  label: string;
  count: number;
}

/** A histogram as lines of at most `width` columns: a label, a bar, a count. The longest bar is that of the largest count; a count above 0 has at least an eighth. */
export function histogramLines(bars: readonly HistogramBar[], width: number): string[] {
  const labelWidth = Math.max(0, ...bars.map(({ label }) => label.length));
  const countWidth = Math.max(0, ...bars.map(({ count }) => formatCount(count).length));
  const most = Math.max(1, ...bars.map(({ count }) => count));
  const room = Math.max(1, width - labelWidth - countWidth - 2);
  return bars.map(({ label, count }) => `${label.padStart(labelWidth)} ${bar(count / most, room)} ${formatCount(count)}`);
}

function bar(share: number, width: number): string {
  const parts = Math.max(share > 0 ? 1 : 0, Math.round(share * width * 8));
  return "█".repeat(parts >> 3) + eighths[parts & 7]!;
}

/** How two counts are to each other, as a bar of `width` columns: the first full, the second light. One that is not 0 is seen. */
export function balanceBar(first: number, second: number, width: number): string {
  if (first + second === 0) return "";
  const full = Math.round((first / (first + second)) * width);
  const shown = Math.min(width - (second > 0 ? 1 : 0), Math.max(first > 0 ? 1 : 0, full));
  return "█".repeat(shown) + "░".repeat(width - shown);
}
