import uPlot from "uplot";
import type { PageData } from "../src/page-data.js";
import type { ChartSpec } from "./chart-list.js";
import { element } from "./elements.js";
import { shownMetric, smooth } from "./numbers.js";

/** How all charts are drawn. */
export interface ChartSettings {
  /** Weight of what came before, 0 to below 1. */
  smoothing: number;
  isLog: boolean;
  /** Steps that are shown; undefined for all. */
  range: readonly [number, number] | undefined;
}

/** What is done to all charts of the page at once. */
export interface TogetherOf {
  showRange(range: ChartSettings["range"]): void;
  showStep(step: number): void;
}

/** A curve of a chart: one metric of one run. */
interface Curve {
  label: string;
  metric: string;
  colour: number;
  isDashed: boolean;
  x: readonly number[];
  y: readonly (number | null)[];
}

const height = 220;
// oxlint-disable-next-line typescript/no-unsafe-enum-assignment -- the enum is of types alone, and has no value to import
const logarithmic = 3 as uPlot.Scale.Distr.Logarithmic;
const numColours = 6;

/** A chart with its title, legend and values under the cursor, as a figure. */
export class Chart {
  readonly title: string;
  readonly figure: HTMLElement;
  #curves: readonly Curve[] = [];
  readonly #place: HTMLElement;
  readonly #values = element("output", { class: "values", "aria-live": "off" });
  readonly #legend = element("div", { class: "legend" });
  /** Labels of the curves that are not shown. */
  readonly #hidden = new Set<string>();
  readonly #together: TogetherOf;
  #settings: ChartSettings = { smoothing: 0, isLog: false, range: undefined };
  #plot: uPlot | undefined;
  #isLog = false;

  constructor({ id, title }: Pick<ChartSpec, "id" | "title">, together: TogetherOf) {
    this.title = title;
    this.#together = together;
    this.#place = element("div", { class: "plot", role: "img", tabindex: "0", "aria-describedby": "keys" });
    this.figure = element("figure", { id }, [
      element("figcaption", {}, [element("h3", { text: title }), this.#values]),
      this.#place,
      this.#legend,
    ]);
    this.#place.addEventListener("keydown", (event) => this.#onKey(event));
    // Who reads with the ears hears of the chart that is gone through, not of every chart whenever a row comes.
    this.#place.addEventListener("focus", () => this.#values.setAttribute("aria-live", "polite"));
    this.#place.addEventListener("blur", () => this.#values.setAttribute("aria-live", "off"));
  }

  /** Shows these metrics of some runs. Where the curves are those that it shows already, with further points, it goes on from what it has drawn. */
  show(metrics: readonly string[], data: PageData, settings: ChartSettings): void {
    const before = this.#curves;
    this.#curves = curvesOf(metrics, data);
    const isSame = before.length === this.#curves.length && this.#curves.every((curve, index) => looksAlike(curve, before[index]!));
    if (!isSame) this.#legend.replaceChildren(...this.#curves.map((curve) => this.#legendEntry(curve)));
    this.#place.setAttribute("aria-label", `${this.title}: ${this.#summary()}`);
    const isLog = settings.isLog && this.#isPositive();
    if (this.#plot && isSame && isLog === this.#isLog) {
      this.#settings = settings;
      this.#plot.setData(alignedData(this.#curves, settings.smoothing), settings.range === undefined);
      if (settings.range) this.#plot.redraw();
    } else this.draw(settings);
    this.#showValues(this.#plot?.cursor.idx ?? undefined);
  }

  /** Draws it anew, as wide as it lies; to be called when it is in the page. */
  draw(settings: ChartSettings): void {
    this.#settings = settings;
    this.#plot?.destroy();
    const data = alignedData(this.#curves, settings.smoothing);
    const colours = this.#colours();
    const curves: uPlot.Series[] = this.#curves.flatMap((curve) => {
      const show = !this.#hidden.has(curve.label);
      const line: uPlot.Series = {
        stroke: colours.curve(curve.colour),
        width: 1.75,
        show,
        ...(curve.isDashed && { dash: [5, 4] }),
        points: pointsOf(curve),
      };
      return isSmoothed(curve, settings.smoothing)
        ? [
            { ...line, width: 1, alpha: 0.3, points: { show: false } },
            { ...line, points: { show: false } },
          ]
        : [line];
    });
    const axis = {
      stroke: colours.text,
      grid: { stroke: colours.grid, width: 1 },
      ticks: { stroke: colours.grid, width: 1 },
      font: "12px system-ui, sans-serif",
    };
    const isLog = settings.isLog && this.#isPositive();
    this.#isLog = isLog;
    const options: uPlot.Options = {
      width: Math.max(200, this.#place.clientWidth),
      height,
      legend: { show: false },
      scales: {
        x: { time: false, ...(settings.range && { min: settings.range[0], max: settings.range[1] }) },
        y: isLog ? { distr: logarithmic } : {},
      },
      axes: [
        axis,
        { ...axis, size: 70, values: (_, ticks) => ticks.map((tick) => (tick === null ? "" : shownMetric(this.#curves[0]!.metric, tick))) },
      ],
      series: [{}, ...curves],
      cursor: { sync: { key: "report" }, drag: { x: true, y: false, setScale: true }, y: false },
      hooks: {
        setCursor: [(plot) => this.#showValues(plot.cursor.idx ?? undefined)],
        setScale: [(plot, scale) => scale === "x" && this.#tellRange(plot)],
      },
    };
    this.#plot = new uPlot(options, data, this.#place);
  }

  /** Shows these steps alone. */
  showRange(range: readonly [number, number] | undefined): void {
    this.#settings = { ...this.#settings, range };
    const xs = this.#plot?.data[0];
    if (!this.#plot || !xs || xs.length < 2) return;
    this.#plot.setScale("x", { min: range?.[0] ?? xs[0]!, max: range?.[1] ?? xs.at(-1)! });
  }

  /** Puts the cursor to a step, or the point nearest to it. */
  showStep(step: number): void {
    this.#plot?.setCursor({ left: this.#plot.valToPos(step, "x"), top: 10 });
  }

  /** Tells the others of a range that the mouse has chosen here. Drawing calls it too, with what they have already. */
  #tellRange(plot: uPlot): void {
    const { min, max } = plot.scales["x"]!;
    const xs = plot.data[0];
    if (typeof min !== "number" || typeof max !== "number" || xs.length < 2) return;
    const range = min <= xs[0]! && max >= xs.at(-1)! ? undefined : ([min, max] as const);
    const { range: now } = this.#settings;
    if (range?.[0] !== now?.[0] || range?.[1] !== now?.[1]) this.#together.showRange(range);
  }

  #legendEntry({ label, colour, isDashed }: Curve): HTMLElement {
    const entry = element("button", {
      type: "button",
      class: `colour-${colour}${isDashed ? " dashed" : ""}`,
      "aria-pressed": String(!this.#hidden.has(label)),
      text: label,
    });
    entry.addEventListener("click", () => {
      if (!this.#hidden.delete(label)) this.#hidden.add(label);
      entry.setAttribute("aria-pressed", String(!this.#hidden.has(label)));
      this.draw(this.#settings);
    });
    return entry;
  }

  /** Values at a point of the joined steps; the last ones without one. */
  #showValues(index: number | undefined): void {
    const step = index === undefined ? undefined : this.#plot?.data[0][index];
    const parts = this.#curves.map(({ label, metric, x, y }) => {
      const at = step === undefined ? y.findLastIndex((value) => value !== null) : x.indexOf(step);
      return at < 0 ? undefined : `${this.#curves.length > 1 ? `${label} ` : ""}${shownMetric(metric, y[at])}`;
    });
    const values = parts.filter((part) => part !== undefined).join(" · ");
    this.#values.textContent = step === undefined ? values : `step ${step}: ${values || "–"}`;
  }

  /** Left and right go through the points, plus and minus zoom, 0 shows all. */
  #onKey(event: KeyboardEvent): void {
    const plot = this.#plot;
    if (!plot || event.ctrlKey || event.metaKey || event.altKey) return;
    const xs = plot.data[0];
    const now = plot.cursor.idx ?? xs.length - 1;
    const far = Math.max(1, Math.round(xs.length / 20));
    const moves: Record<string, number> = {
      ArrowLeft: now - 1,
      ArrowRight: now + 1,
      PageUp: now - far,
      PageDown: now + far,
      Home: 0,
      End: xs.length - 1,
    };
    const to = moves[event.key];
    const [min, max] = [plot.scales["x"]!.min ?? xs[0]!, plot.scales["x"]!.max ?? xs.at(-1)!];
    const centre = xs[now]!;
    const zoomed = (factor: number): readonly [number, number] => [centre - (centre - min) * factor, centre + (max - centre) * factor];
    if (to !== undefined) this.#together.showStep(xs[Math.min(Math.max(to, 0), xs.length - 1)]!);
    else if (event.key === "+") this.#together.showRange(zoomed(0.5));
    else if (event.key === "-") this.#together.showRange(zoomed(2));
    else if (event.key === "0" || event.key === "Escape") this.#together.showRange(undefined);
    else return;
    event.preventDefault();
  }

  #isPositive(): boolean {
    return this.#curves.every(({ y }) => y.every((value) => value === null || value > 0));
  }

  #summary(): string {
    const of = ({ label, metric, x, y }: Curve): string => {
      const numbers = y.filter((value) => value !== null);
      if (numbers.length === 0) return `${label} has no number`;
      const [least, most] = [numbers.reduce((a, b) => Math.min(a, b)), numbers.reduce((a, b) => Math.max(a, b))];
      return `${label} from ${shownMetric(metric, numbers[0])} at step ${x[0]} to ${shownMetric(metric, numbers.at(-1))} at step ${x.at(-1)}, between ${shownMetric(metric, least)} and ${shownMetric(metric, most)}`;
    };
    return this.#curves.map(of).join("; ");
  }

  #colours(): { curve(index: number): string; text: string; grid: string } {
    const style = getComputedStyle(document.documentElement);
    const colour = (name: string): string => style.getPropertyValue(`--${name}`).trim();
    return { curve: (index) => colour(`colour-${index}`), text: colour("text"), grid: colour("grid") };
  }
}

/** Curves of one run go by metric, of several by run and then by metric. Evaluations are dashed. */
function curvesOf(metrics: readonly string[], { runs }: PageData): Curve[] {
  return runs.flatMap((run, runIndex) =>
    metrics.flatMap((metric, metricIndex) => {
      const series = run.series.find(({ name }) => name === metric);
      if (!series) return [];
      const isEvaluation = metric.startsWith("eval_");
      const base = metrics.filter((name) => !name.startsWith("eval_")).indexOf(metric.replace(/^eval_/, ""));
      const ownColour = base < 0 ? metricIndex : base; // an evaluation has that of the metric beside it, if there is one
      return [
        {
          label: runs.length === 1 ? metric : `${run.name} ${metric}`,
          metric,
          colour: (runs.length === 1 ? ownColour : (run.colour ?? runIndex)) % numColours,
          isDashed: isEvaluation || (runs.length > 1 && metric.endsWith("rejected")),
          x: run.steps[series.steps]!,
          y: series.values,
        },
      ];
    }),
  );
}

/** All curves over the union of their steps, each followed by its smoothed one. Where others have a step it has none, and goes on; a number that is none is a gap. */
function alignedData(curves: readonly Curve[], smoothing: number): uPlot.AlignedData {
  const tables = curves.map((curve): uPlot.AlignedData => {
    const columns = isSmoothed(curve, smoothing) ? [[...curve.y], smooth(curve.y, smoothing)] : [[...curve.y]];
    return [[...curve.x], ...columns] as uPlot.AlignedData;
  });
  return uPlot.join(
    tables,
    tables.map((columns) => columns.map(() => 2)),
  );
}

/** Evaluations are few, and stay as they are. */
function isSmoothed({ metric }: Curve, smoothing: number): boolean {
  return smoothing > 0 && !metric.startsWith("eval_");
}

/** Whether a curve goes on another one as it is drawn: points are shown or not by how many there are. */
function looksAlike(a: Curve, b: Curve): boolean {
  const isSame = a.label === b.label && a.colour === b.colour && a.isDashed === b.isDashed;
  return isSame && pointsOf(a).show === pointsOf(b).show;
}

/** A curve of a single point would be invisible without it. */
function pointsOf({ x, isDashed }: Curve): uPlot.Series.Points {
  return { show: x.length === 1 || (isDashed && x.length <= 30), size: 6 };
}
