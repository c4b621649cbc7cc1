import { basename, resolve } from "node:path";
import { describeError, isKtoError, type Store } from "@kto/core";
import { evaluationsOf, type Metrics } from "@kto/report";
import { serveRuns, type LiveRun, type RunsServer, type RunState, type RunStatus } from "@kto/report/node";
import { TrainingControl, type TrainerEvent } from "@kto/trainer";
import type { CommandInput } from "../commands/command.js";
import { defaultOf } from "../config/field-defaults.js";
import { exitStatus, fieldName, InterruptedError } from "../errors.js";
import type { Io } from "../io.js";
import type { Console } from "../render/console.js";

/** What is told of a run at its end. */
type End = Pick<RunStatus, "message"> & { state: "finished" | "stopped" | "failed" };

/** The page of `kto train --ui`: what the run is doing, and its buttons. It ends with the command. */
export class TrainPage implements AsyncDisposable {
  readonly control = new TrainingControl();
  readonly #stop = new AbortController();
  readonly #name: string;
  #server: RunsServer | undefined;
  readonly #signal: AbortSignal;
  readonly #console: Console;
  #store: Store | undefined;
  #history: () => readonly object[] = () => [];
  #progress: Pick<RunStatus, "step" | "totalUpdates" | "secondsLeft"> = {};
  /** What the run is about besides updates. */
  #doing: string | undefined;
  #hasBegun = false;
  #isHeld = false;
  #numSaves = 0;
  #checkpoint: string | undefined;
  #evaluations: readonly Metrics[] = [];
  #numSeen = 0;
  #end: End | undefined;

  /** Opens the page, or throws SourceError for a port that is in use. */
  static async open(
    outputDir: string,
    port: number | undefined,
    { io, console }: Pick<CommandInput, "io" | "console">,
  ): Promise<TrainPage> {
    const page = new TrainPage(basename(resolve(outputDir)), console, io.signal);
    page.#server = await serveRuns({ title: page.#name, port, defaultOf, runs: () => [page.#run()] });
    io.stderr.write(`the run is shown at ${page.#server.url}\n`); // whoever asked for the page needs its address, with --quiet too
    return page;
  }

  private constructor(name: string, console: Console, signal: AbortSignal | undefined) {
    this.#name = name;
    this.#console = console;
    this.#signal = signal ? AbortSignal.any([signal, this.#stop.signal]) : this.#stop.signal;
  }

  /** Runs a command with this page, whose button ends it as a signal does, and tells the page how it ended. */
  async during(io: Io, body: (io: Io) => Promise<number>): Promise<number> {
    try {
      const status = await body(Object.create(io, { signal: { value: this.#signal } }) as Io); // its stdin is opened by who reads it
      this.#endWith(status === exitStatus.done ? "finished" : "stopped");
      return status;
    } catch (error) {
      this.#fail(error);
      const isAbort = error instanceof Error && error.name === "AbortError";
      throw isAbort && this.#stop.signal.aborted ? this.#stop.signal.reason : error;
    }
  }

  /** The run has its folder now, and a log. */
  begin(store: Store, history: () => readonly object[]): void {
    this.#store = store;
    this.#history = history;
    this.#hasBegun = true;
    this.#server?.wake();
  }

  /** Takes an event of the trainer into account; the page asks for it when it wants it. */
  show(event: TrainerEvent): void {
    if (event.type === "update") {
      const { step, startStep, totalUpdates, elapsedMs } = event;
      this.#progress = { step, totalUpdates, secondsLeft: ((elapsedMs / 1000) * (totalUpdates - step)) / (step - startStep) };
      this.#doing = undefined;
    } else if (event.type === "evaluateProgress") this.#doing = `evaluating: ${event.done} of ${event.total}`;
    else if (event.type === "precompute") this.#doing = `log-probabilities of the reference: ${event.done} of ${event.total}`;
    else if (event.type === "evaluate") this.#doing = undefined;
    else if (event.type === "checkpoint") this.#checkpoint = event.path;
    else if (event.type === "pause" || event.type === "resume") this.#isHeld = event.type === "pause";
    else return;
    if (event.type === "pause" || event.type === "resume" || event.type === "checkpoint") this.#server?.wake();
  }

  /** Prompts that are answered before or after the run. */
  showSamples(done: number, total: number): void {
    this.#doing = done < total ? `answering prompts: ${done} of ${total}` : undefined;
  }

  #endWith(state: "finished" | "stopped"): void {
    const message = this.#saved();
    this.#end = { state, message: message && state === "stopped" ? `${message}; --resume_from_checkpoint goes on from it` : message };
  }

  #fail(error: unknown): void {
    const isStopped = this.#signal.aborted && (error === this.#signal.reason || error instanceof InterruptedError);
    const text = isKtoError(error) ? describeError(error, fieldName) : error instanceof Error ? error.message : String(error);
    this.#end = { state: isStopped ? "stopped" : "failed", message: text };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#server?.close();
  }

  #run(): LiveRun {
    const save = async (): Promise<void> => {
      this.#numSaves++;
      try {
        await this.control.save();
      } finally {
        this.#numSaves--;
      }
    };
    const control = {
      pause: () => this.control.pause(),
      resume: () => this.control.resume(),
      save,
      stop: () => {
        if (!this.#signal.aborted) this.#console.line("stopping in good order, as the page asks");
        this.#stop.abort(new InterruptedError("stopped from its page before the run began; nothing was written"));
      },
    };
    return { name: this.#name, folder: this.#store, status: () => this.#status(), evaluations: () => this.#evaluationsNow(), control };
  }

  /** The evaluations in the log, of which only what is new is looked through. */
  #evaluationsNow(): readonly Metrics[] {
    const history = this.#history();
    if (history.length > this.#numSeen) this.#evaluations = [...this.#evaluations, ...evaluationsOf(history.slice(this.#numSeen))];
    this.#numSeen = history.length;
    return this.#evaluations;
  }

  #status(): RunStatus {
    return { ...this.#progress, ...(this.#end ?? { state: this.#state(), message: this.#doing ?? this.#saved() }) };
  }

  #state(): RunState {
    if (this.#signal.aborted) return "stopping";
    if (this.#numSaves > 0) return "saving";
    if (this.control.isPaused) return this.#isHeld ? "paused" : "pausing";
    return this.#hasBegun ? "training" : "preparing";
  }

  #saved(): string | undefined {
    return this.#checkpoint && `checkpoint: ${this.#checkpoint}`;
  }
}
