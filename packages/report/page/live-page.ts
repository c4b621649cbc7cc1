import { withRows } from "../src/live/append-rows.js";
import type { ListedRun, LiveEvent } from "../src/live/live-events.js";
import { lastStates, type RunStatus } from "../src/live/live-run.js";
import type { PageRun } from "../src/page-data.js";
import { Connection, type ConnectionState } from "./connection.js";
import { element } from "./elements.js";
import { ReportPage } from "./report-page.js";
import { RunBar } from "./run-bar.js";
import { RunList } from "./run-list.js";

const connectionTexts: Readonly<Record<ConnectionState, string>> = {
  connecting: "Connecting …",
  open: "",
  lost: "The server does not answer; it is asked again and again. What is shown is what came until then.",
  refused: "The server was started anew and does not know this page. Open the address that it printed.",
  ended: "The process has ended, and nothing more will come; the page stays as it is.",
};

/** The page of runs that are watched while they go on. */
export class LivePage {
  readonly #title = document.title;
  readonly #connection = new Connection({ onEvent: (event) => this.#take(event), onState: (state) => this.#setState(state) });
  readonly #list = new RunList(() => this.#choose());
  readonly #bars = new Map<string, RunBar>();
  readonly #place = element("div", { class: "live-runs" });
  readonly #note = element("p", { class: "message", role: "status" });
  readonly #runs = new Map<string, PageRun>();
  readonly #statuses = new Map<string, RunStatus>();
  readonly #page: ReportPage;
  #listed: readonly ListedRun[] = [];
  #state: ConnectionState = "connecting";
  #asked: readonly string[] = [];
  #isDue = false;

  constructor() {
    this.#page = new ReportPage(element("section", { id: "live", "aria-label": "Live" }, [this.#note, this.#list.root, this.#place]));
  }

  /** Opens the connection; everything else follows from what comes. */
  begin(): void {
    this.#connection.open(this.#asked);
    this.#due();
  }

  #take(event: LiveEvent): void {
    if (event.type === "list") {
      this.#listed = event.runs;
      this.#list.show(event.runs);
      this.#choose();
    } else if (event.type === "run") this.#runs.set(event.run.name, event.run);
    else if (event.type === "status") this.#statuses.set(event.name, event.status);
    else if (event.type === "rows" || event.type === "facts") {
      const run = this.#runs.get(event.name);
      if (run) this.#runs.set(event.name, event.type === "rows" ? withRows(run, event) : { ...run, ...event.facts });
    }
    this.#due();
  }

  #setState(state: ConnectionState): void {
    this.#state = state;
    this.#due();
  }

  /** Asks for the runs that are chosen, where those are others than before. */
  #choose(): void {
    const { chosen } = this.#list;
    if (chosen.join("\n") !== this.#asked.join("\n")) {
      this.#asked = chosen;
      this.#connection.open(chosen);
    }
    this.#due();
  }

  /** Draws with the next frame, however much comes until then; not at all while nobody sees the page. */
  #due(): void {
    document.title = this.#headline(this.#shown()); // a tab says it also where nobody sees the page
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#show();
    });
  }

  #show(): void {
    const text = connectionTexts[this.#state];
    if (this.#note.textContent !== text) this.#note.textContent = text;
    this.#note.hidden = text === "";
    const shown = this.#shown();
    const isStale = this.#state === "lost" || this.#state === "refused";
    for (const [name, bar] of this.#bars) {
      if (shown.some((run) => run.name === name)) continue;
      bar.root.remove();
      this.#bars.delete(name);
    }
    for (const run of shown) {
      const status = this.#statuses.get(run.name);
      if (!status) continue;
      const bar = this.#bars.get(run.name) ?? this.#newBar(run.name);
      bar.show(status, run, isStale);
    }
    const runs = shown.flatMap(({ name }) => {
      const run = this.#runs.get(name);
      const status = this.#statuses.get(name);
      return run ? [{ ...run, colour: this.#listed.findIndex((one) => one.name === name), ...(status && { status }) }] : [];
    });
    this.#page.show({ runs, isLive: true }, runs.length === 0 ? this.#title : undefined);
  }

  /** Runs that are chosen, in the order of the list. */
  #shown(): ListedRun[] {
    return this.#listed.filter(({ name }) => this.#asked.includes(name));
  }

  #newBar(name: string): RunBar {
    const bar = new RunBar(name);
    this.#bars.set(name, bar);
    this.#place.append(bar.root);
    return bar;
  }

  /** What a tab says: how far the run is or what became of it, where there is one. */
  #headline(shown: readonly ListedRun[]): string {
    const status = shown.length === 1 ? this.#statuses.get(shown[0]!.name) : undefined;
    if (!status) return this.#title;
    if (lastStates.has(status.state)) return `${status.state} · ${shown[0]!.name}`;
    if (status.step === undefined || !status.totalUpdates) return this.#title;
    return `${Math.floor((100 * status.step) / status.totalUpdates)} % · ${shown[0]!.name}`;
  }
}
