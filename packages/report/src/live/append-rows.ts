import { mostPoints, noCurves, type PageRun, type PageSeries } from "../page-data.js";
import type { Metrics } from "../run/run.js";
import { thin } from "../thin.js";

/** A run of the page with further rows; its curves are thinned again when they have twice the points that a page shows. */
export function withRows(
  run: PageRun,
  { records, evaluations }: { records: readonly Metrics[]; evaluations: readonly Metrics[] },
): PageRun {
  const rows = [...records, ...evaluations];
  const names = new Set([
    ...run.series.map(({ name }) => name),
    ...rows.flatMap((row) => Object.keys(row)).filter((name) => !noCurves.has(name)),
  ]);
  const steps: (readonly number[])[] = [];
  const series = [...names].map((name): PageSeries => {
    const known = run.series.find((one) => one.name === name);
    const having = rows.filter((row) => name in row);
    const x = [...(known ? run.steps[known.steps]! : []), ...having.map((row) => row["step"]!)];
    const y = [...(known?.values ?? []), ...having.map((row) => row[name]!)];
    const points = x.length > 2 * mostPoints ? thin({ x, y }, mostPoints) : { x, y };
    return { name, steps: steps.push(points.x) - 1, values: points.y };
  });
  return { ...run, steps, series, lastStep: records.at(-1)?.["step"] ?? run.lastStep };
}
