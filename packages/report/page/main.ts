import type { PageData, PageRun } from "../src/page-data.js";
import { Chart, type ChartSettings } from "./chart.js";
import { chartsOf } from "./chart-list.js";
import { element, section } from "./elements.js";
import { shown, shownBytes } from "./numbers.js";
import { samplesSection } from "./samples.js";
import { configSection, dataSection, numbersSection } from "./tables.js";

// The script of the page: reads the data that lies in it and builds everything else. Bundled into page-source.ts by `npm run page`.

const data = JSON.parse(document.getElementById("report")!.textContent) as PageData;
const settings: { -readonly [Name in keyof ChartSettings]: ChartSettings[Name] } = { smoothing: 0, isLog: false, range: undefined };

const setRange = (range: ChartSettings["range"]): void => {
  settings.range = range;
  for (const chart of charts) chart.showRange(range);
  whole.disabled = range === undefined;
};
const showStep = (step: number): void => charts.forEach((chart) => chart.showStep(step));
const specs = chartsOf(data);
const charts = specs.map((spec) => new Chart(spec, data, { showRange: setRange, showStep }));
const draw = (): void => charts.forEach((chart) => chart.draw(settings));

const smoothing = element("input", { type: "range", id: "smoothing", min: "0", max: "0.99", step: "0.01", value: "0" });
const log = element("input", { type: "checkbox", id: "log" });
const whole = element("button", { type: "button", text: "Whole run" });
whole.disabled = true;
smoothing.addEventListener("input", () => {
  settings.smoothing = Number(smoothing.value);
  draw();
});
log.addEventListener("change", () => {
  settings.isLog = log.checked;
  draw();
});
whole.addEventListener("click", () => setRange(undefined));

const isOne = data.runs.length === 1;
const ofEach = (
  make: (run: PageRun, id: string, title: string) => HTMLElement | undefined,
  id: string,
  title: string,
): (HTMLElement | undefined)[] => data.runs.map((run, index) => make(run, `${id}-${index}`, isOne ? title : `${title}: ${run.name}`));

const curves = section("curves", "Curves", [
  element("div", { class: "toolbar" }, [
    element("label", { for: "smoothing", text: "Smoothing" }),
    smoothing,
    element("span", {}, [log, element("label", { for: "log", text: " log scale" })]),
    whole,
  ]),
  element("p", {
    id: "keys",
    class: "hint",
    text: "Drag to zoom, double-click for the whole run. With the keyboard: arrows go through the steps, + and - zoom, 0 shows all.",
  }),
  charts.length > 0
    ? element(
        "div",
        { class: "charts" },
        charts.map(({ figure }) => figure),
      )
    : element("p", { text: "No update has been logged yet." }),
]);
const sections = [
  curves,
  charts.length > 0 ? numbersSection(data, specs) : undefined,
  configSection(data),
  ...ofEach(dataSection, "data", "Data"),
  ...ofEach(samplesSection, "samples", "Samples"),
  ...ofEach(problemsSection, "problems", "What could not be read"),
].filter((part) => part !== undefined);

document.body.append(
  element("header", {}, [
    element("h1", { text: isOne ? data.runs[0]!.name : `${data.runs.length} runs` }),
    ...data.runs.map((run) => element("p", { text: isOne ? summaryOf(run) : `${run.name}: ${summaryOf(run)}` })),
    element(
      "nav",
      { "aria-label": "Sections" },
      sections.map((part) => element("a", { href: `#${part.id}`, text: part.querySelector("h2")!.textContent })),
    ),
  ]),
  element("main", {}, sections),
);
draw();

let width = document.body.clientWidth;
new ResizeObserver(() => {
  if (document.body.clientWidth === width) return;
  width = document.body.clientWidth;
  draw();
}).observe(document.body);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

function summaryOf({ isFinished, lastStep, results }: PageRun): string {
  const facts = [
    isFinished ? `finished after ${shown(lastStep)} updates` : `${shown(lastStep)} updates so far; the run goes on or was interrupted`,
  ];
  const { train_loss: loss, train_runtime: seconds, peak_gpu_memory_bytes: bytes } = results;
  if (typeof loss === "number") facts.push(`loss ${shown(loss)}`);
  if (typeof seconds === "number") facts.push(`${shown(seconds)} s`);
  if (typeof bytes === "number") facts.push(`${shownBytes(bytes)} on the GPU at most`);
  return facts.join(" · ");
}

function problemsSection({ problems }: PageRun, id: string, title: string): HTMLElement | undefined {
  return problems.length === 0
    ? undefined
    : section(id, title, [
        element(
          "ul",
          {},
          problems.map((text) => element("li", { text })),
        ),
      ]);
}
