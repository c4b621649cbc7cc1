import type { LiveEvent } from "../src/live/live-events.js";

/** How it stands with the server: `refused` is one that was started anew and does not know this page. */
export type ConnectionState = "connecting" | "open" | "lost" | "refused" | "ended";

/** What a connection tells. */
export interface ConnectionOptions {
  onEvent(event: LiveEvent): void;
  onState(state: ConnectionState): void;
}

/** A server that says nothing for so long, not even that nothing is new, is asked anew. */
const silenceMs = 30_000;

/** The stream of what is new of some runs. It is opened again where it breaks off, and then begins with all of them. */
export class Connection {
  readonly #options: ConnectionOptions;
  #source: EventSource | undefined;
  #runs: readonly string[] = [];
  #heardAt = 0;
  #hasEnded = false;

  constructor(options: ConnectionOptions) {
    this.#options = options;
    setInterval(() => {
      if (this.#source && performance.now() - this.#heardAt > silenceMs) this.open(this.#runs);
    }, 5000);
  }

  /** Asks for the news of these runs, in place of others. */
  open(runs: readonly string[]): void {
    if (this.#hasEnded) return;
    this.#source?.close();
    this.#runs = runs;
    this.#heardAt = performance.now();
    const source = new EventSource(`events?${new URLSearchParams(runs.map((name) => ["run", name]))}`);
    this.#source = source;
    source.addEventListener("message", ({ data }) => {
      this.#heardAt = performance.now();
      const event = JSON.parse(data as string) as LiveEvent;
      if (event.type === "end") this.#end("ended");
      this.#options.onEvent(event);
    });
    source.addEventListener("open", () => this.#options.onState("open"));
    source.addEventListener("error", () => {
      if (this.#source !== source) return;
      this.#heardAt = performance.now();
      if (source.readyState === EventSource.CLOSED) this.#end("refused");
      else this.#options.onState("lost");
    });
  }

  #end(state: ConnectionState): void {
    this.#hasEnded = true;
    this.#source?.close();
    this.#source = undefined;
    this.#options.onState(state);
  }
}
