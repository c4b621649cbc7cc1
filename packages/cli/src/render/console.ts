import { describeNote, type DataNote } from "@kto/datasets";
import type { Io, TextSink } from "../io.js";
import { Bars } from "./bars.js";
import { colorsOf } from "./colors.js";
import { type Progress, Work } from "./progress.js";
import { progressLine, type ProgressUnit } from "./progress-line.js";

/** Widest line written, whatever the terminal. */
export const maxWidth = 80;

/** Milliseconds between the lines that stand in for a bar. */
export const plainLineMs = 5000;

/** Everything a command says on stderr: headings, notes, warnings, progress. With `quiet` only warnings. */
export class Console {
  readonly colors: ReturnType<typeof colorsOf>;
  readonly #stderr: TextSink;
  readonly isQuiet: boolean;
  readonly #noted = new Set<string>();
  readonly #bars: Bars | undefined;

  constructor(io: Io, { quiet }: { quiet: boolean }) {
    this.#stderr = io.stderr;
    this.isQuiet = quiet;
    this.colors = colorsOf(io.stderr, io.env);
    if (io.stderr.isTTY === true && io.env["TERM"] !== "dumb") this.#bars = new Bars(io.stderr);
  }

  /** Whether lines can be changed there, and pictures looked at. */
  get isTerminal(): boolean {
    return this.#bars !== undefined;
  }

  /** Columns to fill. */
  get width(): number {
    return Math.min(maxWidth, this.terminalWidth);
  }

  /** Columns of the whole terminal, for pictures. */
  get terminalWidth(): number {
    return this.#stderr.columns || maxWidth;
  }

  /** A line, above the bar if there is one. */
  line(text = ""): void {
    if (!this.isQuiet) this.#write(text);
  }

  /** A sentence, broken at blanks to the window of a terminal. */
  sentence(text: string): void {
    for (const part of this.isTerminal ? wrap(text, this.width) : [text]) this.line(part);
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

  /**
   * A bar in a terminal, once the work has taken two seconds; elsewhere a plain line every few seconds. Neither where `results` are written to a terminal line
   * by line meanwhile, which tell how far it is.
   */
  progress(name: string, unit: ProgressUnit, { results }: { results?: TextSink } = {}): Progress {
    if (this.isQuiet || (this.#bars && results?.isTTY === true)) return silent;
    return this.#bars?.start(name, unit) ?? this.#plainProgress(name, unit);
  }

  /** Takes away what moves. */
  end(): void {
    this.#bars?.end();
  }

  #plainProgress(name: string, unit: ProgressUnit): Progress {
    const work = new Work(name, unit);
    let lastMs = performance.now();
    return {
      ...silent,
      update: (at) => {
        work.update(at);
        const now = performance.now();
        if (now - lastMs < plainLineMs) return;
        lastMs = now;
        this.line(progressLine(work.state()!, maxWidth));
      },
    };
  }

  #write(text: string): void {
    if (this.#bars) this.#bars.above(text);
    else this.#stderr.write(`${text}\n`);
  }
}

const silent: Progress = { update: () => {}, stop: () => {}, [Symbol.dispose]: () => {} };

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
