import type { PageData, PageRun } from "../src/page-data.js";
import type { ChartSpec } from "./chart-list.js";
import { element, section, table } from "./elements.js";
import { shown, shownMetric } from "./numbers.js";

/** First, last, lowest and highest value of every curve: what the charts show, for who reads rather than looks. */
export class NumbersSection {
  readonly #caption = "First, last, lowest and highest value of each metric, with the step";
  readonly #heads = ["Metric", "First", "Last", "Lowest", "Highest"];
  readonly #table = table(this.#caption, this.#heads, []);
  readonly #section = section("numbers", "Numbers", [this.#table]);

  show(data: PageData, charts: readonly ChartSpec[]): HTMLElement {
    const isOne = data.runs.length === 1;
    const rows = charts.flatMap(({ metrics }) =>
      metrics.flatMap((metric) =>
        data.runs.flatMap((run) => rowOf(run, metric).map((row) => [isOne ? metric : `${run.name}: ${metric}`, ...row])),
      ),
    );
    this.#table.querySelector("tbody")!.replaceWith(table(this.#caption, this.#heads, rows).querySelector("tbody")!);
    return this.#section;
  }
}

function rowOf(run: PageRun, metric: string): string[][] {
  const series = run.series.find(({ name }) => name === metric);
  if (!series) return [];
  const points = run.steps[series.steps]!.flatMap((step, index) => {
    const value = series.values[index];
    return value === null || value === undefined ? [] : [{ step, value }];
  });
  if (points.length === 0) return [["–", "–", "–", "–"]];
  const lowest = points.reduce((a, b) => (b.value < a.value ? b : a));
  const highest = points.reduce((a, b) => (b.value > a.value ? b : a));
  return [[points[0]!, points.at(-1)!, lowest, highest].map(({ step, value }) => `${shownMetric(metric, value)} (${step})`)];
}

/** The configs side by side, at first only what is not a default, or differs between runs. */
export class ConfigSection {
  readonly #all = element("input", { type: "checkbox", id: "all-fields" });
  #show: () => void = () => {};

  constructor() {
    this.#all.addEventListener("change", () => this.#show());
  }

  /** Undefined where no run has one. */
  make({ runs }: PageData): HTMLElement | undefined {
    const names = [...new Set(runs.flatMap(({ config }) => config.map(({ name }) => name)))];
    if (names.length === 0) return undefined;
    const entries = (name: string): (PageRun["config"][number] | undefined)[] =>
      runs.map(({ config }) => config.find((entry) => entry.name === name));
    const isTold = (name: string): boolean => {
      const found = entries(name);
      return runs.length > 1 ? new Set(found.map((entry) => entry?.value)).size > 1 : found[0]?.isDefault === false;
    };
    const told = names.filter(isTold);
    const place = element("div");
    this.#show = () => {
      const some = this.#all.checked ? names : told;
      const which = runs.length > 1 ? "Fields that differ" : "Fields that are not at their defaults";
      const caption = some === told && told.length < names.length ? which : "All fields";
      const rows = some.map((name) => [name, ...entries(name).map((entry) => entry?.value ?? "–")]);
      place.replaceChildren(table(caption, ["Field", ...(runs.length > 1 ? runs.map(({ name }) => name) : ["Value"])], rows));
    };
    this.#show();
    return section("config", "Config", [
      element("p", {}, [this.#all, element("label", { for: "all-fields", text: ` all ${names.length} fields` })]),
      place,
    ]);
  }
}

/** Rows, classes and lengths of what was trained on; undefined where the run tells nothing. */
export function dataSection({ data }: PageRun, id: string, title: string): HTMLElement | undefined {
  if (!data) return undefined;
  const { counts, classBalance, histogram, drops } = data;
  const facts = [
    ["Trained on", shown(counts.prepared)],
    ["Dropped", shown(counts.dropped)],
  ];
  if (classBalance) facts.push(["Desirable", shown(classBalance.desirable)], ["Undesirable", shown(classBalance.undesirable)]);
  const most = Math.max(1, ...(histogram ?? []).map(({ count }) => count));
  const bars = histogram?.map(({ from, to, count }) => [`${from}–${to - 1}`, bar(count / most), shown(count)]);
  return section(id, title, [
    table("Rows", ["What", "How many"], facts),
    drops && drops.length > 0
      ? element(
          "ul",
          {},
          drops.map((text) => element("li", { text })),
        )
      : undefined,
    bars && table("Rows by their number of tokens", ["Tokens", "Share", "Rows"], bars),
  ]);
}

function bar(share: number): HTMLElement {
  const made = element("div", { class: "bar", "aria-hidden": "true" });
  made.style.width = `${(100 * share).toFixed(1)}%`;
  return made;
}
