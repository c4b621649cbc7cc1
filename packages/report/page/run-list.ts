import type { ListedRun } from "../src/live/live-events.js";
import { element } from "./elements.js";

/** Most runs that are shown where nobody has chosen any: as many as there are colours. */
const mostAtFirst = 6;

/** The runs of a folder, of which those that are ticked are shown. Which ones stands in the address. */
export class RunList {
  readonly root = element("fieldset", { class: "runs" }, [element("legend", { text: "Runs" })]);
  readonly #entries = new Map<string, { entry: HTMLElement; box: HTMLInputElement; state: HTMLElement }>();
  readonly #onChange: () => void;
  #chosen: ReadonlySet<string> | undefined;

  constructor(onChange: () => void) {
    this.#onChange = onChange;
    this.root.hidden = true;
  }

  /** Names of those that are shown. */
  get chosen(): string[] {
    return [...this.#entries.keys()].filter((name) => this.#chosen?.has(name));
  }

  show(runs: readonly ListedRun[]): void {
    this.#chosen ??= new Set(chosenAtFirst(runs));
    for (const [name, { entry }] of this.#entries) {
      if (runs.some((run) => run.name === name)) continue;
      entry.remove();
      this.#entries.delete(name);
    }
    const entries = runs.map(({ name, state }, index) => {
      const known = this.#entries.get(name) ?? this.#entry(name);
      known.state.textContent = state;
      known.state.className = `state ${state}`;
      known.entry.className = `colour-${index % mostAtFirst}`;
      return [name, known] as const;
    });
    this.#entries.clear();
    for (const [index, [name, known]] of entries.entries()) {
      this.#entries.set(name, known);
      if (this.root.children[index + 1] !== known.entry) this.root.insertBefore(known.entry, this.root.children[index + 1] ?? null);
    }
    this.root.hidden = runs.length < 2;
  }

  #entry(name: string): { entry: HTMLElement; box: HTMLInputElement; state: HTMLElement } {
    const box = element("input", { type: "checkbox" });
    box.checked = this.#chosen!.has(name);
    const state = element("span", { class: "state" });
    box.addEventListener("change", () => {
      const chosen = new Set(this.#chosen);
      if (box.checked) chosen.add(name);
      else chosen.delete(name);
      this.#chosen = chosen;
      const names = new URLSearchParams(this.chosen.map((one) => ["run", one]));
      history.replaceState(null, "", `${location.pathname}?${names}${location.hash}`);
      this.#onChange();
    });
    return { entry: element("label", {}, [box, element("span", { class: "name", text: name }), state]), box, state };
  }
}

/** The runs that the address names; where it names none that there is, those that go on, and then the last. */
function chosenAtFirst(runs: readonly ListedRun[]): string[] {
  const named = new URLSearchParams(location.search).getAll("run").filter((name) => runs.some((run) => run.name === name));
  if (named.length > 0) return named;
  const others = runs.filter((run) => !isUnderWay(run)).toReversed();
  return [...runs.filter(isUnderWay), ...others].slice(0, mostAtFirst).map(({ name }) => name);
}

function isUnderWay({ state }: ListedRun): boolean {
  return state === "training" || state === "paused" || state === "preparing";
}
