import type { PageData, PageRun } from "../src/page-data.js";
import { chartsOf } from "./chart-list.js";
import { Curves } from "./curves.js";
import { element, section } from "./elements.js";
import { shown, shownBytes } from "./numbers.js";
import { samplesSection } from "./samples.js";
import { ConfigSection, dataSection, NumbersSection } from "./tables.js";

/** The page of some runs: a header, the charts, and what there is to read. It may be shown other runs, or more of the same. */
export class ReportPage {
  readonly #curves = new Curves();
  readonly #numbers = new NumbersSection();
  readonly #config = new ConfigSection();
  readonly #title = element("h1");
  readonly #summaries = element("div");
  readonly #links = element("nav", { "aria-label": "Sections" });
  readonly #main = element("main");
  /** Sections that are made of facts, which seldom change: each with what it was made of. */
  readonly #made = new Map<string, { of: string; section: HTMLElement | undefined }>();

  /** @param more  what stands between the header and the sections */
  constructor(more?: HTMLElement) {
    document.body.append(
      ...[element("header", {}, [this.#title, this.#summaries, this.#links]), more, this.#main].filter((part) => part !== undefined),
    );
    let width = document.body.clientWidth;
    new ResizeObserver(() => {
      if (document.body.clientWidth === width) return;
      width = document.body.clientWidth;
      this.#curves.draw();
    }).observe(document.body);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#curves.draw());
  }

  show(data: PageData, title = titleOf(data)): void {
    const isOne = data.runs.length === 1;
    setText(this.#title, title);
    const summaries = data.runs.map((run) => (isOne ? summaryOf(run) : `${run.name}: ${summaryOf(run)}`));
    while (this.#summaries.childElementCount > summaries.length) this.#summaries.lastElementChild!.remove();
    for (const [index, text] of summaries.entries())
      setText(this.#summaries.children[index] ?? this.#summaries.appendChild(element("p")), text);
    const specs = chartsOf(data);
    const ofEach = (
      make: (run: PageRun, id: string, title: string) => HTMLElement | undefined,
      id: string,
      head: string,
      of: (run: PageRun) => unknown,
    ): (HTMLElement | undefined)[] =>
      data.runs.map((run, index) => {
        const [place, text] = [`${id}-${index}`, isOne ? head : `${head}: ${run.name}`];
        return this.#section(place, [text, of(run)], () => make(run, place, text));
      });
    const sections = [
      this.#curves.section,
      specs.length > 0 ? this.#numbers.show(data, specs) : undefined,
      this.#section(
        "config",
        data.runs.map(({ name, config }) => [name, config]),
        () => this.#config.make(data),
      ),
      ...ofEach(dataSection, "data", "Data", ({ data: summary }) => summary),
      ...ofEach(samplesSection, "samples", "Samples", ({ samples }) => samples),
      ...ofEach(problemsSection, "problems", "What could not be read", ({ problems }) => problems),
    ].filter((part) => part !== undefined);
    const isOther = sections.length !== this.#main.childElementCount || sections.some((part, index) => part !== this.#main.children[index]);
    if (isOther) {
      for (const part of Array.from(this.#main.children)) if (!sections.includes(part as HTMLElement)) part.remove();
      for (const [index, part] of sections.entries())
        if (this.#main.children[index] !== part) this.#main.insertBefore(part, this.#main.children[index] ?? null);
      this.#links.replaceChildren(
        ...sections.map((part) => element("a", { href: `#${part.id}`, text: part.querySelector("h2")!.textContent })),
      );
    }
    this.#curves.show(data);
  }

  #section(key: string, of: unknown, make: () => HTMLElement | undefined): HTMLElement | undefined {
    const text = JSON.stringify(of);
    const known = this.#made.get(key);
    if (known?.of === text) return known.section;
    const made = make();
    this.#made.set(key, { of: text, section: made });
    return made;
  }
}

function titleOf({ runs }: PageData): string {
  return runs.length === 1 ? runs[0]!.name : `${runs.length} runs`;
}

function setText(place: Element, text: string): void {
  if (place.textContent !== text) place.textContent = text;
}

function summaryOf({ isFinished, lastStep, results, status }: PageRun): string {
  const soFar = status ? `${shown(lastStep)} updates logged` : `${shown(lastStep)} updates so far; the run goes on or was interrupted`;
  const { global_step: numUpdates, train_loss: loss, train_runtime: seconds, peak_gpu_memory_bytes: bytes } = results;
  const facts = [isFinished ? `finished after ${shown(numUpdates ?? lastStep)} updates` : soFar];
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
