import type { RunStatus } from "./live/live-run.js";
import type { ConfigEntry, DataSummary, Metrics, Run, Sample } from "./run/run.js";
import { thin } from "./thin.js";

/** A curve of the page. */
export interface PageSeries {
  /** trl's name: `rewards/chosen`, `eval_loss`. */
  name: string;
  /** Which of the run's `steps` its points stand at. */
  steps: number;
  values: readonly (number | null)[];
}

/** A run as the page has it. */
export interface PageRun {
  name: string;
  isFinished: boolean;
  /** Updates that were logged. */
  lastStep: number;
  /** Lists of steps that series share. */
  steps: readonly (readonly number[])[];
  series: readonly PageSeries[];
  config: readonly ConfigEntry[];
  results: Metrics;
  data?: DataSummary | undefined;
  samples: readonly Sample[];
  problems: readonly string[];
  /** Which colour it has among others, where that is not its place among them. */
  colour?: number | undefined;
  /** What it is doing, on a live page. */
  status?: RunStatus | undefined;
}

/** What is told of a run beside its curves. */
export type PageFacts = Omit<PageRun, "name" | "lastStep" | "steps" | "series" | "colour" | "status">;

/** Everything that the page shows. */
export interface PageData {
  runs: readonly PageRun[];
  /** True for the page of a server, which tells it of runs and what is new. */
  isLive?: boolean | undefined;
}

/** Names in a record that are no curves. */
export const noCurves: ReadonlySet<string> = new Set(["step", "epoch", "total_flos", "eval_runtime", "eval_num_tokens"]);

/** Most points of a curve in the page, and most in all of its curves together. */
export const mostPoints = 4000;
const mostOfAll = 60_000;

/** Most samples of a run in the page. */
const mostSamples = 50;

/** What the page needs of some runs: curves thinned where there are more points than a screen shows, numbers with nine digits. */
export function pageData(runs: readonly Run[]): PageData {
  const curves = runs.map(({ records, evaluations }) => [...curvesIn(records), ...curvesIn(evaluations)]);
  const most = Math.max(400, Math.min(mostPoints, Math.floor(mostOfAll / Math.max(1, curves.flat().length))));
  return { runs: runs.map((run, index) => pageRun(run, curves[index]!, most)) };
}

function pageRun(run: Run, curves: readonly (readonly [metric: string, rows: readonly Metrics[]])[], most: number): PageRun {
  const { name, records } = run;
  const steps = new SharedSteps();
  const series = curves.map(([metric, rows]): PageSeries => {
    const having = rows.filter((row) => metric in row);
    const points = thin({ x: having.map((row) => row["step"]!), y: having.map((row) => shortNumber(row[metric]!)) }, most);
    return { name: metric, steps: steps.place(points.x), values: points.y };
  });
  return {
    name,
    lastStep: records.at(-1)?.["step"] ?? 0,
    steps: steps.lists,
    series,
    ...pageFacts(run),
  };
}

/** What the page has of a run beside its curves. */
export function pageFacts({ isFinished, config, results, data, samples, problems }: Run): PageFacts {
  return {
    isFinished,
    config,
    results: results ?? {},
    ...(data && { data }),
    samples: samples.slice(0, mostSamples),
    problems:
      samples.length > mostSamples ? [...problems, `samples.jsonl: ${samples.length - mostSamples} more samples are not shown`] : problems,
  };
}

/** Lists of steps, each once. */
class SharedSteps {
  readonly lists: (readonly number[])[] = [];
  readonly #places = new Map<string, number>();

  place(steps: readonly number[]): number {
    const key = steps.join();
    const known = this.#places.get(key);
    if (known !== undefined) return known;
    this.#places.set(key, this.lists.length);
    return this.lists.push(steps) - 1;
  }
}

/** The curves in some records, in the order in which they are met, each with these records. */
function curvesIn(records: readonly Metrics[]): [metric: string, rows: readonly Metrics[]][] {
  const names = new Set(records.flatMap((record) => Object.keys(record)));
  return [...names].filter((name) => !noCurves.has(name)).map((name) => [name, records]);
}

/** A row with such numbers. */
export function shortRecord(record: Metrics): Metrics {
  return Object.fromEntries(Object.entries(record).map(([name, value]) => [name, shortNumber(value)]));
}

/** A number with nine significant digits, an integer with all of its. */
function shortNumber(value: number | null): number | null {
  if (value === null || Number.isInteger(value)) return value;
  return Number(value.toPrecision(9));
}
