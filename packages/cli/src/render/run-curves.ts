import type { Console } from "./console.js";
import { drawCurve, type Point } from "./curve.js";
import { formatCount, formatNumber } from "./format.js";
import { sparkline } from "./sparkline.js";

/** A metric that is drawn. */
export interface DrawnMetric {
  title: string;
  /** Under trl's name. */
  metric: string;
}

/** Numbers of a log by name, each with `step`; null where a number was none. */
type Records = readonly Readonly<Record<string, number | null | undefined>>[];

const sparklineWidth = 24;

/**
 * Shows how metrics went: in a terminal curves as wide as its window, with those of evaluations marked `o`; elsewhere a line each. Nothing for a metric that
 * was logged less than twice.
 */
export function showCurves(console: Console, metrics: readonly DrawnMetric[], log: Records, evaluations: Records): void {
  const { colors } = console;
  for (const { title, metric } of metrics) {
    const points = pointsOf(log, metric);
    if (points.length < 2) continue;
    const course = describeCourse(points);
    if (!console.isTerminal) {
      console.fact(title, `${course} ${sparkline(points.map(({ y }) => y), sparklineWidth)}`.trimEnd()); // prettier-ignore
      continue;
    }
    const marks = pointsOf(evaluations, `eval_${metric}`);
    const paint = { line: colors.cyan, mark: colors.yellow, axis: colors.dim };
    const lines = drawCurve(points, { width: console.terminalWidth - 1, marks, paint });
    const legend =
      lines.length > 0 && marks.some(({ y }) => Number.isFinite(y)) ? ` ${colors.yellow("o")} ${colors.dim("evaluation")}` : "";
    console.line(`${colors.bold(title)} ${course}${legend}`);
    for (const line of lines) console.line(line);
    console.line();
  }
}

function pointsOf(records: Records, metric: string): Point[] {
  return records.flatMap((record) => (record[metric] === undefined ? [] : [{ x: record["step"] ?? NaN, y: record[metric] ?? NaN }]));
}

/** `0.6931 → 0.412`, and how many of the values are no number. */
function describeCourse(points: readonly Point[]): string {
  const values = points.map(({ y }) => y).filter(Number.isFinite);
  const missing = points.length - values.length;
  if (values.length === 0) return `none of ${formatCount(points.length)} values is a number`;
  const left = missing > 0 ? `, ${formatCount(missing)} of ${formatCount(points.length)} values are no number` : "";
  return `${formatNumber(values[0])} → ${formatNumber(values.at(-1))}${left}`;
}
