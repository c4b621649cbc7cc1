import type { ListedRun } from "../src/live/live-events.js";
import { lastStates, type RunAction, type RunState, type RunStatus } from "../src/live/live-run.js";
import { element } from "./elements.js";
import { shown, shownTime } from "./numbers.js";

const stateTexts: Readonly<Record<RunState, string>> = {
  preparing: "preparing",
  training: "training",
  pausing: "pausing, when the update in flight is done",
  paused: "paused",
  saving: "saving a checkpoint",
  stopping: "stopping, when the update in flight is done and a checkpoint is written",
  finished: "finished",
  stopped: "stopped",
  failed: "failed",
  interrupted: "interrupted: its process is gone",
};

/** States in which each button does something. */
const pausable: ReadonlySet<RunState> = new Set(["training", "saving"]);
const resumable: ReadonlySet<RunState> = new Set(["paused", "pausing"]);
const savable: ReadonlySet<RunState> = new Set(["training", "paused", "pausing"]);

/** What a run is doing, how far it is, and the buttons of one that is this server's. */
export class RunBar {
  readonly root: HTMLElement;
  readonly #state = element("span", { class: "state", role: "status" });
  readonly #message = element("p", { class: "message" });
  readonly #progress: HTMLProgressElement;
  readonly #place = element("span", { class: "values" });
  readonly #buttons: Readonly<Record<RunAction, HTMLButtonElement>>;
  readonly #said = element("p", { class: "message", role: "alert" });
  readonly #readOnly = element("p", {
    class: "hint",
    text: "The run is of another process: it can be looked at, and stopped with Ctrl-C where it was started.",
  });
  readonly #toolbar: HTMLElement;

  constructor(name: string) {
    const button = (action: RunAction, text: string): HTMLButtonElement => {
      const made = element("button", { type: "button", text });
      made.addEventListener("click", () => void this.#act(action));
      return made;
    };
    this.#buttons = {
      pause: button("pause", "Pause"),
      resume: button("resume", "Resume"),
      save: button("save", "Save now"),
      stop: button("stop", "Stop"),
    };
    this.#toolbar = element("div", { class: "toolbar" }, Object.values(this.#buttons));
    this.#progress = element("progress", { "aria-label": `Progress of ${name}`, max: "1" });
    this.root = element("section", { class: "run", "aria-label": `Run ${name}` }, [
      element("p", {}, [element("strong", { text: name }), document.createTextNode(" "), this.#state]),
      this.#message,
      element("div", { class: "progress" }, [this.#progress, this.#place]),
      this.#toolbar,
      this.#said,
      this.#readOnly,
    ]);
    this.#said.hidden = true;
  }

  /** @param isStale  nobody knows what it has done since */
  show(
    { state, message, step, totalUpdates, secondsLeft }: RunStatus,
    { canControl }: Pick<ListedRun, "canControl">,
    isStale: boolean,
  ): void {
    const text = isStale && !lastStates.has(state) ? `not heard of since it was ${stateTexts[state]}` : stateTexts[state];
    if (this.#state.textContent !== text) this.#state.textContent = text;
    this.#state.className = `state ${isStale ? "stale" : state}`;
    this.#message.textContent = message ?? "";
    this.#message.hidden = message === undefined;
    const share = step !== undefined && totalUpdates ? Math.min(1, step / totalUpdates) : undefined;
    this.#progress.hidden = share === undefined;
    if (share !== undefined) this.#progress.value = share;
    const left = secondsLeft !== undefined && !lastStates.has(state) && !isStale ? `, about ${shownTime(secondsLeft)} left` : "";
    this.#place.textContent =
      step === undefined ? "" : totalUpdates ? `update ${shown(step)} of ${shown(totalUpdates)}${left}` : `update ${shown(step)}`;
    const isOver = lastStates.has(state) || isStale;
    this.#toolbar.hidden = !canControl || isOver;
    this.#readOnly.hidden = canControl || isOver;
    const { pause, resume, save, stop } = this.#buttons;
    pause.hidden = resumable.has(state);
    resume.hidden = !resumable.has(state);
    pause.disabled = !pausable.has(state);
    save.disabled = !savable.has(state);
    stop.disabled = state === "stopping";
  }

  async #act(action: RunAction): Promise<void> {
    const isMeant =
      action !== "stop" || confirm("Stop the run? The update in flight is finished and a checkpoint written, from which it can go on.");
    if (!isMeant) return;
    const failure = await fetch(action, { method: "POST" }).then(
      async (answer) => (answer.ok ? undefined : (await answer.text()).trim()),
      () => `${action}: the server did not answer`,
    );
    this.#said.textContent = failure ?? "";
    this.#said.hidden = failure === undefined;
    if (action === "pause" || action === "resume") this.#keepFocus();
  }

  /** The button that was pressed gives way to its opposite, which takes the keyboard. */
  #keepFocus(): void {
    const { pause, resume } = this.#buttons;
    const isLost = document.activeElement === document.body || (document.activeElement as HTMLElement).hidden;
    if (isLost) (pause.hidden ? resume : pause).focus();
  }
}
