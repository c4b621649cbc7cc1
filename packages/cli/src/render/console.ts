import { MultiBar, type SingleBar } from "cli-progress";
import { describeNote, type DataNote } from "@kto/datasets";
import type { Io, TextSink } from "../io.js";
import { colorsOf } from "./colors.js";
import { clip } from "./format.js";

/** Widest line written, whatever the terminal. */
export const maxWidth = 80;

/** Milliseconds between the lines that stand in for a bar. */
export const plainLineMs = 5000;
const barWidth = 10;

/** Something that takes a while. */
export interface Progress {
  /** How far it is; `text` says more (speed, loss, …). */
  update(done: number, text?: string): void;
  stop(): void;
}

/** Several lines that change in place, each under a key. */
export interface Board {
  set(key: string, text: string): void;
  remove(key: string): void;
  /** Removes all of them. */
  stop(): void;
}

/** Everything a command says on stderr: headings, notes, warnings, progress. With `quiet` only warnings. */
export class Console {
  readonly colors: ReturnType<typeof colorsOf>;
  readonly #stderr: TextSink;
  readonly isQuiet: boolean;
  readonly #noted = new Set<string>();
  #bars: MultiBar | undefined;

  constructor(io: Io, { quiet }: { quiet: boolean }) {
    this.#stderr = io.stderr;
    this.isQuiet = quiet;
    this.colors = colorsOf(io);
  }

  /** Columns to fill. */
  get width(): number {
    return Math.min(maxWidth, this.#stderr.columns ?? maxWidth);
  }

  /** Columns of the whole terminal, for pictures. */
  get terminalWidth(): number {
    return this.#stderr.columns ?? maxWidth;
  }

  /** A line, above the bar if there is one. */
  line(text = ""): void {
    if (!this.isQuiet) this.#write(text);
  }

  /** A named fact of the banner: `model    …`. */
  fact(name: string, text: string): void {
    const indent = 11;
    for (const [index, part] of wrap(text, this.width - indent).entries()) {
      this.line(`${index === 0 ? this.colors.bold(name.padEnd(indent)) : " ".repeat(indent)}${part}`);
    }
  }

  /** Something worth knowing, in dim lines; a line alone where it is no terminal, as an error is. */
  note(text: string): void {
    const lines = this.#stderr.columns === undefined ? [`note: ${text}`] : wrap(`note: ${text}`, this.width);
    for (const part of lines) this.line(this.colors.dim(part));
  }

  /** What was noted while rows were read, a line each: one of a kind, whatever data it is said of. */
  dataNotes(notes: readonly DataNote[]): void {
    for (const note of notes) {
      if (this.#noted.has(note.kind)) continue;
      this.#noted.add(note.kind);
      this.note(describeNote(note));
    }
  }

  /** A warning, also when quiet. */
  warn(text: string): void {
    const [first, ...rest] = wrap(text, this.width - 9);
    this.#write(`${this.colors.yellow("warning:")} ${first ?? ""}`);
    for (const part of rest) this.#write(`         ${part}`);
  }

  /** A bar in a terminal; elsewhere a plain line every few seconds. */
  progress(name: string, total: number): Progress {
    if (this.isQuiet) return { update: () => undefined, stop: () => undefined };
    return this.#stderr.isTTY === true ? this.#bar(name, total) : this.#plainProgress(name, total);
  }

  /** Lines that change in place, below all others; only in a terminal, and not when quiet. */
  board(): Board | undefined {
    if (this.isQuiet || this.#stderr.isTTY !== true) return undefined;
    const bars = this.#openBars();
    const lines = new Map<string, SingleBar>();
    const remove = (key: string): void => {
      const line = lines.get(key);
      if (!line) return;
      lines.delete(key);
      line.stop();
      bars.remove(line);
    };
    return {
      set: (key, text) => {
        const line = lines.get(key);
        if (line) line.update(0, { text });
        else lines.set(key, bars.create(1, 0, { text }, { format: "{text}" }));
      },
      remove,
      stop: () => {
        for (const key of lines.keys()) remove(key);
        this.#closeBars(bars);
      },
    };
  }

  #openBars(): MultiBar {
    return (this.#bars ??= new MultiBar({
      stream: this.#stderr as unknown as NodeJS.WritableStream,
      format: `{name} {bar} {value}/{total} {text}`,
      barCompleteChar: "█",
      barIncompleteChar: "░",
      barsize: barWidth,
      hideCursor: true,
      clearOnComplete: true,
      fps: 8,
      gracefulExit: false,
      linewrap: null,
      forceRedraw: false,
    }));
  }

  #closeBars(bars: MultiBar): void {
    if (this.#bars !== bars) return;
    bars.update(); // writes the lines that wait
    bars.stop();
    this.#bars = undefined;
  }

  #bar(name: string, total: number): Progress {
    const bars = this.#openBars();
    const room = this.width - barWidth - name.length - 2 * String(total).length - 5;
    const bar: SingleBar = bars.create(total, 0, { name, text: "" });
    return {
      update: (done, text = "") => bar.update(done, { text: clip(text, room) }),
      stop: () => {
        bar.stop();
        bars.remove(bar);
        this.#closeBars(bars);
      },
    };
  }

  #plainProgress(name: string, total: number): Progress {
    let lastMs = performance.now();
    return {
      update: (done, text = "") => {
        const now = performance.now();
        if (now - lastMs < plainLineMs) return;
        lastMs = now;
        this.line(clip(`${name} ${done}/${total} ${text}`.trimEnd(), maxWidth));
      },
      stop: () => undefined,
    };
  }

  #write(text: string): void {
    if (this.#bars) this.#bars.log(`${text}\u001b[K\n`); // or the end of a longer bar stays behind it
    else this.#stderr.write(`${text}\n`);
  }
}

/** Breaks text at spaces; a word that is too long stays whole. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === "" ? word : `${line} ${word}`;
  }
  return [...lines, line];
}
