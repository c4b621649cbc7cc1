import { onBeforeUnmount, onMounted, ref, shallowRef, type Ref, type ShallowRef } from "vue";
import { isTaken } from "./alone.js";
import { findNoGpu, type NoGpu } from "./gpu-check.js";
import { begunState, foundState, freshState, nextState, type LiveState } from "./live-state.js";
import type { Failure, LiveData, LiveEvent, LiveRequest } from "./messages.js";
import { keptFiles } from "./place.js";
import { adapterFiles, readSavedRun } from "./saved-run.js";
import type { LiveSettings } from "./settings.js";

/** A question and what the model says to it, before training and after. */
export interface Exchange {
  question: string;
  before: string | undefined;
  after: string | undefined;
}

/** The page's side of the worker. */
export interface Live {
  state: Readonly<ShallowRef<LiveState>>;
  /** `checking` until it is known what this browser has. */
  gpu: Readonly<Ref<"checking" | "there" | NoGpu>>;
  /** Answers of the untrained model, to be marked. */
  drawn: ShallowRef<readonly { question: string; text: string }[]>;
  chat: ShallowRef<readonly Exchange[]>;
  /** Why the last question, or the last drawing, came to nothing. */
  refusal: ShallowRef<Failure | undefined>;
  train(data: LiveData, settings: LiveSettings): void;
  resume(): void;
  pause(): void;
  goOn(): void;
  stop(): void;
  draw(): void;
  ask(question: string): void;
}

/** Set while this tab trains, so that a reload goes on by itself; another tab asks first. */
const runningKey = "kto-live-trains";
const numDrawn = 6;

/** What the page is made of; a worker is there from the first thing that is asked of it. */
export function useLive(): Live {
  const state = shallowRef(freshState());
  const gpu = ref<"checking" | "there" | NoGpu>("checking");
  const drawn = shallowRef<readonly { question: string; text: string }[]>([]);
  const chat = shallowRef<readonly Exchange[]>([]);
  const refusal = shallowRef<Failure>();
  let worker: Worker | undefined;
  let numDrawings = 0;

  const send = (request: LiveRequest): void => {
    worker ??= openWorker(onEvent, onEnd);
    worker.postMessage(request); // oxlint-disable-line unicorn/require-post-message-target-origin -- that is of windows; a worker has none
  };
  const onEvent = (event: LiveEvent): void => {
    state.value = nextState(state.value, event);
    if (event.type === "drawn") drawn.value = event.answers;
    if (event.type === "refused") refusal.value = event.failure;
    const answered = chat.value.filter(({ before }) => before !== undefined);
    if (event.type === "answer") chat.value = [...answered, event];
    else if (event.type === "refused") chat.value = answered;
    if (state.value.phase === "idle") noteRunning(false);
  };
  const onEnd = (message: string): void => {
    worker?.terminate();
    worker = undefined;
    onEvent({ type: "failed", failure: { code: undefined, message: `the page's worker has ended: ${message}` } });
  };
  const begin = (request: LiveRequest): void => {
    state.value = begunState(state.value, { resumes: request.type === "resume" });
    chat.value = [];
    noteRunning(true);
    send(request);
  };
  const resume = (): void => begin({ type: "resume" });

  onMounted(async () => {
    const missing = await findNoGpu();
    gpu.value = missing ?? "there";
    const files = await keptFiles();
    const saved = files && (await readSavedRun(files));
    if (!files || !saved || state.value.phase !== "idle" || state.value.end) return;
    const goesOn = !missing && !saved.after && wasRunning();
    const isElsewhere = !goesOn && (await isTaken());
    state.value = { ...foundState(saved, saved.after ? await adapterFiles(files) : []), isElsewhere };
    if (goesOn) resume();
  });
  onBeforeUnmount(() => worker?.terminate());

  return {
    state,
    gpu,
    drawn,
    chat,
    refusal,
    train: (data, settings) => begin({ type: "train", data, settings }),
    resume,
    pause() {
      state.value = { ...state.value, phase: "pausing" };
      send({ type: "pause" });
    },
    goOn: () => send({ type: "continue" }),
    stop() {
      state.value = { ...state.value, phase: "stopping" };
      send({ type: "stop" });
    },
    draw() {
      refusal.value = undefined;
      send({ type: "draw", count: numDrawn, seed: ++numDrawings });
    },
    ask(question) {
      refusal.value = undefined;
      chat.value = [...chat.value, { question, before: undefined, after: undefined }];
      send({ type: "ask", question });
    },
  };
}

function openWorker(onEvent: (event: LiveEvent) => void, onEnd: (message: string) => void): Worker {
  const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
  worker.addEventListener("message", ({ data }: MessageEvent<LiveEvent>) => onEvent(data));
  worker.addEventListener("error", ({ message }) => onEnd(message || "its script did not load"));
  worker.addEventListener("messageerror", () => onEnd("a message could not be read"));
  return worker;
}

/** Where a browser keeps nothing for this page, a reload asks. */
function noteRunning(isRunning: boolean): void {
  try {
    if (isRunning) sessionStorage.setItem(runningKey, "yes");
    else sessionStorage.removeItem(runningKey);
  } catch {
    // storage is switched off
  }
}

function wasRunning(): boolean {
  try {
    return sessionStorage.getItem(runningKey) !== null;
  } catch {
    return false;
  }
}
