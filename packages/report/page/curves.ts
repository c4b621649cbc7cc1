import type { PageData } from "../src/page-data.js";
import { Chart, type ChartSettings } from "./chart.js";
import { chartsOf } from "./chart-list.js";
import { element, section } from "./elements.js";

/** The section of the charts, with what is set for all of them at once. */
export class Curves {
  readonly section: HTMLElement;
  readonly #settings: { -readonly [Name in keyof ChartSettings]: ChartSettings[Name] } = { smoothing: 0, isLog: false, range: undefined };
  readonly #whole = element("button", { type: "button", text: "Whole run" });
  readonly #place = element("div", { class: "charts" });
  readonly #nothing = element("p", { text: "No update has been logged yet." });
  #charts: Chart[] = [];

  constructor() {
    const smoothing = element("input", { type: "range", id: "smoothing", min: "0", max: "0.99", step: "0.01", value: "0" });
    const log = element("input", { type: "checkbox", id: "log" });
    this.#whole.disabled = true;
    smoothing.addEventListener("input", () => {
      this.#settings.smoothing = Number(smoothing.value);
      this.draw();
    });
    log.addEventListener("change", () => {
      this.#settings.isLog = log.checked;
      this.draw();
    });
    this.#whole.addEventListener("click", () => this.#showRange(undefined));
    this.section = section("curves", "Curves", [
      element("div", { class: "toolbar" }, [
        element("label", { for: "smoothing", text: "Smoothing" }),
        smoothing,
        element("span", {}, [log, element("label", { for: "log", text: " log scale" })]),
        this.#whole,
      ]),
      element("p", {
        id: "keys",
        class: "hint",
        text: "Drag to zoom, double-click for the whole run. With the keyboard: arrows go through the steps, + and - zoom, 0 shows all.",
      }),
      this.#place,
      this.#nothing,
    ]);
  }

  /** Shows the curves of these runs; what is zoomed, hidden or under the cursor stays so. It has to be in the page. */
  show(data: PageData): void {
    const known = this.#charts;
    const together = {
      showRange: (range: ChartSettings["range"]) => this.#showRange(range),
      showStep: (step: number) => this.#showStep(step),
    };
    const specs = chartsOf(data);
    this.#charts = specs.map((spec) => known.find(({ title }) => title === spec.title) ?? new Chart(spec, together));
    const isOther = this.#charts.length !== known.length || this.#charts.some((chart, index) => chart !== known[index]);
    if (isOther) this.#place.replaceChildren(...this.#charts.map(({ figure }) => figure));
    this.#nothing.hidden = this.#charts.length > 0;
    for (const [index, { metrics }] of specs.entries()) this.#charts[index]!.show(metrics, data, this.#settings);
  }

  /** Draws all of them anew, as wide as they lie. */
  draw(): void {
    for (const chart of this.#charts) chart.draw(this.#settings);
  }

  #showRange(range: ChartSettings["range"]): void {
    this.#settings.range = range;
    for (const chart of this.#charts) chart.showRange(range);
    this.#whole.disabled = range === undefined;
  }

  #showStep(step: number): void {
    for (const chart of this.#charts) chart.showStep(step);
  }
}
