import { createInterface, type Interface } from "node:readline";
import { Writable, type Readable } from "node:stream";
import type { TextSink } from "../io.js";
import { TurnLines } from "./turn-lines.js";
import { orAborted, type Turns } from "./turns.js";

/** Prompts of a turn and of its further lines. */
const [prompt, further] = ["> ", ". "];

/** Asks the terminal to mark what is pasted, so that its line breaks end no turn. */
const markPastes = { on: "\u001b[?2004h", off: "\u001b[?2004l" };

/** Lines that the up key goes back to. They are kept for the session alone: what people ask is nobody else's business. */
const historySize = 1000;

/**
 * Turns that are typed in a terminal, with line editing and history. While an answer is made nothing is shown of what is typed: it stands at the next
 * prompt. Ctrl-C empties the line, and on an empty one ends the conversation, as Ctrl-D does.
 */
export class TerminalTurns implements Turns {
  readonly #interface: Interface;
  readonly #output: TextSink;
  readonly #signal: AbortSignal | undefined;
  readonly #lines = new TurnLines();
  /** Turns that were typed before they were asked for. */
  readonly #ready: string[] = [];
  #isShown = false;
  #isPasted = false;
  #isClosed = false;
  #stop: (() => void) | undefined;
  #wake: (() => void) | undefined;

  constructor(input: Readable, output: TextSink, signal?: AbortSignal) {
    this.#output = output;
    this.#signal = signal;
    const shown = new Writable({
      decodeStrings: false,
      write: (text, _encoding, done) => {
        if (this.#isShown) output.write(String(text));
        done();
      },
    });
    Object.defineProperty(shown, "columns", { get: () => output.columns });
    this.#interface = createInterface({ input, output: shown, terminal: true, prompt, historySize, removeHistoryDuplicates: true });
    this.#interface.on("line", (line) => this.#take(line));
    this.#interface.on("SIGINT", () => this.#interrupt());
    this.#interface.on("close", () => {
      this.#isClosed = true;
      this.#wake?.();
    });
    input.on("keypress", (_text: unknown, key: { name?: string } | undefined) => {
      if (key?.name === "paste-start") this.#isPasted = true;
      if (key?.name === "paste-end") this.#isPasted = false;
    });
    output.write(markPastes.on);
  }

  async next(): Promise<string | undefined> {
    const typed = this.#ready.shift();
    if (typed !== undefined) {
      this.#output.write(`${prompt}${typed.replaceAll("\n", `\n${further}`)}\n`);
      return typed;
    }
    if (this.#isClosed) return undefined;
    this.#isShown = true;
    this.#prompt();
    const wake = new Promise<void>((resolve) => (this.#wake = resolve));
    try {
      await orAborted(wake, this.#signal);
    } finally {
      this.#isShown = false;
      this.#wake = undefined;
    }
    const turn = this.#ready.shift();
    if (turn === undefined) this.#output.write("\n");
    return turn;
  }

  async during<Result>(answer: Promise<Result>, stop: () => void): Promise<Result> {
    this.#stop = stop;
    try {
      return await answer;
    } finally {
      this.#stop = undefined;
    }
  }

  [Symbol.dispose](): void {
    this.#isShown = false;
    this.#interface.close();
    this.#output.write(markPastes.off);
  }

  #prompt(): void {
    this.#interface.setPrompt(this.#lines.isOpen ? further : prompt);
    this.#interface.prompt(true);
  }

  #take(line: string): void {
    const turn = this.#isPasted ? this.#lines.pushOpen(line) : this.#lines.push(line);
    if (turn === undefined) {
      this.#prompt();
      return;
    }
    this.#ready.push(turn);
    this.#wake?.();
  }

  #interrupt(): void {
    if (this.#stop) {
      this.#stop();
      return;
    }
    if (this.#interface.line === "" && !this.#lines.isOpen) {
      this.#interface.close();
      return;
    }
    this.#lines.reset();
    this.#interface.write(null, { ctrl: true, name: "e" }); // to the end of the line, and away with it
    this.#interface.write(null, { ctrl: true, name: "u" });
    this.#output.write("\n");
    this.#prompt();
  }
}
