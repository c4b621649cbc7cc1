import { readExactly } from "@kto/core";
import { PeftModel, readAdapter } from "@kto/lora";
import { loadTokenizer } from "@kto/tokenizer";
import { TrainingControl } from "@kto/trainer";
import { alone } from "./alone.js";
import { failureOf } from "./failure.js";
import { keptRun } from "./kept-run.js";
import { readLiveData } from "./live-data.js";
import { askBoth, drawAnswers, openLiveModel, takeExam, type LiveModel, type OpenedModel } from "./live-model.js";
import { trainLive, type Trained } from "./live-run.js";
import type { LiveData, LiveEvent, LiveRequest } from "./messages.js";
import { openRunPlace, type RunPlace } from "./place.js";
import { adapterFiles, dataFile, readSavedRun, type SavedRun } from "./saved-run.js";
import type { LiveSettings } from "./settings.js";
import { fetchModel, fetchSample, modelDirectory } from "./site-files.js";

/** A run that is asked for: a new one, or one that is kept. */
interface AskedRun {
  data: LiveData;
  settings: LiveSettings;
  saved: SavedRun | undefined;
}

/** The worker's side of the page: does what it is asked, one thing after another, and tells what comes of it. */
export class LiveSession {
  readonly #tell: (event: LiveEvent) => void;
  #last: Promise<void> = Promise.resolve();
  #place: Promise<RunPlace> | undefined;
  #opened: Promise<OpenedModel> | undefined;
  #trained: Trained | undefined;
  #control = new TrainingControl();
  #stop = new AbortController();

  constructor(tell: (event: LiveEvent) => void) {
    this.#tell = tell;
  }

  /** What holds a run up or ends it acts at once; all else waits for what was asked before. */
  take(request: LiveRequest): void {
    if (request.type === "pause") this.#control.pause();
    else if (request.type === "continue") this.#control.resume();
    else if (request.type === "stop") this.#stop.abort();
    else this.#last = this.#last.then(() => this.#answer(request));
  }

  async #answer(request: Exclude<LiveRequest, { type: "pause" | "continue" | "stop" }>): Promise<void> {
    const isRun = request.type === "train" || request.type === "resume";
    try {
      if (request.type === "train") await this.#begin(() => Promise.resolve({ ...request, saved: undefined }));
      else if (request.type === "resume") await this.#begin(() => this.#keptRun());
      else if (request.type === "ask") {
        const { question } = request;
        this.#tell({ type: "answer", question, ...(await askBoth(await this.#answering(), question)) });
      } else {
        const { model } = await this.#open();
        this.#tell({ type: "drawn", answers: await drawAnswers(this.#trained?.model ?? model, request) });
      }
    } catch (error) {
      const failure = failureOf(error);
      if (isRun || failure.code === "DEVICE_LOST") await this.#close();
      this.#tell({ type: isRun ? "failed" : "refused", failure });
    }
  }

  /** A run from its data to its adapter, while no other tab has one. */
  async #begin(asked: () => Promise<AskedRun>): Promise<void> {
    this.#control = new TrainingControl();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    const place = await this.#placeOfRuns();
    try {
      await alone(async () => this.#train(await asked(), place, signal));
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
      this.#tell({ type: "stopped" });
    }
  }

  async #train({ data, settings, saved }: AskedRun, place: RunPlace, signal: AbortSignal): Promise<void> {
    const tell = this.#tell;
    tell({ type: "phase", phase: "loading" });
    this.#takeOff();
    const file = data.kind === "file" ? data.file : await fetchSample(signal);
    const { prepared, facts } = await readLiveData(file, await loadTokenizer(modelDirectory(await fetchModel(signal))), settings);
    tell({ type: "data", facts });
    const { model } = await this.#open(signal);
    if (!saved) tell({ type: "phase", phase: "before" });
    const before = saved?.facts.before ?? (await takeExam(model, signal));
    tell({ type: "exam", when: "before", answers: before });
    const kept = data.kind === "file" ? data.file : undefined;
    const output = keptRun(place.store, saved ? undefined : { facts: { settings, dataName: kept?.name, before }, data: kept });
    const run = { model, prepared, settings, before, output, control: this.#control, signal, tell };
    this.#trained = await trainLive({ ...run, resumes: saved !== undefined });
    tell({ type: "finished", files: await adapterFiles(place.store) });
  }

  /** The run that is kept, with its data. Throws where there is none any more. */
  async #keptRun(): Promise<AskedRun> {
    const { store } = await this.#placeOfRuns();
    const saved = await readSavedRun(store);
    if (!saved) throw new Error("the run that was kept is gone; begin a new one");
    const { settings, dataName } = saved.facts;
    if (dataName === undefined) return { data: { kind: "sample" }, settings, saved };
    const source = await store.open(dataFile);
    if (!source) throw new Error(`${dataName}, which the run learns from, is not kept any more; begin a new run`);
    const bytes = await readExactly(source, 0, source.byteLength);
    return { data: { kind: "file", file: new File([Uint8Array.from(bytes)], dataName) }, settings, saved };
  }

  /** The model that is asked: with the adapter of this run, or of the one that is kept, and else as it came. */
  async #answering(): Promise<LiveModel | Trained["model"]> {
    if (this.#trained) return this.#trained.model;
    const { model } = await this.#open();
    const { store } = await this.#placeOfRuns();
    if ((await readSavedRun(store))?.after === undefined) return model;
    const { config, weights } = await readAdapter(store, model);
    const adapted = new PeftModel(model);
    adapted.addAdapter(config, { weights, isTrainable: false });
    this.#trained = { model: adapted, [Symbol.dispose]: () => adapted.dispose() };
    return adapted;
  }

  /** Device and model, opened once; again after a failure. */
  #open(signal?: AbortSignal): Promise<OpenedModel> {
    this.#opened ??= (async () => {
      const opened = await openLiveModel(modelDirectory(await fetchModel(signal)), signal);
      const { vendor, architecture } = opened.device.capabilities;
      this.#tell({ type: "device", name: [vendor, architecture].filter(Boolean).join(" ") || "a GPU without a name" });
      return opened;
    })();
    this.#opened.catch(() => (this.#opened = undefined));
    return this.#opened;
  }

  /** Takes the adapter of the last run off the model. */
  #takeOff(): void {
    this.#trained?.[Symbol.dispose]();
    this.#trained = undefined;
  }

  /** Gives the device back: what failed on it is not tried again, and what is asked next opens another. */
  async #close(): Promise<void> {
    const opened = await this.#opened?.catch(() => undefined);
    this.#opened = undefined;
    this.#takeOff();
    opened?.[Symbol.dispose]();
  }

  async #placeOfRuns(): Promise<RunPlace> {
    this.#place ??= openRunPlace();
    const place = await this.#place;
    this.#tell({ type: "place", isKept: place.isKept });
    return place;
  }
}
