import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { ktoProgram } from "./kto-program.js";

/** `kto` in a terminal of 80 columns, at which a test types and looks. */
export class PseudoTerminal implements Disposable {
  readonly #child: ChildProcess;
  readonly #ended: Promise<number | null>;
  #screen = "";
  #seen = 0;
  #wake: (() => void) | undefined;

  constructor(argv: readonly string[], env: Readonly<Record<string, string>> = {}) {
    const words = [process.execPath, ...ktoProgram, ...argv];
    const [command, ...args] = inTerminal(words, { columns: 80, rows: 24 });
    const { NO_COLOR: _, ...inherited } = process.env;
    this.#child = spawn(command!, args, {
      env: { ...inherited, TERM: "xterm", KTO_DEVICE: "software", HF_HUB_OFFLINE: "1", ...env },
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#screen += text;
      this.#wake?.();
    });
    this.#ended = new Promise((resolve) => void this.#child.on("close", (status) => resolve(status)));
    void this.#ended.then(() => this.#wake?.());
  }

  /** Everything that was written, escape codes and all. */
  get screen(): string {
    return this.#screen;
  }

  type(keys: string): void {
    this.#child.stdin!.write(keys);
  }

  /** Waits until something is written that was not waited for before; gives all up to its end. Throws with the screen where it does not come. */
  async sees(expected: RegExp, timeoutMs = 60_000): Promise<string> {
    const deadline = Date.now() + timeoutMs;
    for (;;) {
      const match = expected.exec(this.#screen.slice(this.#seen));
      if (match) {
        const text = this.#screen.slice(this.#seen, this.#seen + match.index + match[0].length);
        this.#seen += text.length;
        return text;
      }
      const left = deadline - Date.now();
      const isOver = left <= 0 || this.#child.exitCode !== null;
      if (isOver) throw new Error(`${expected} is not on the screen: ${JSON.stringify(this.#screen.slice(this.#seen))}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, left);
        this.#wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** The exit status of the program. */
  status(): Promise<number | null> {
    return this.#ended;
  }

  [Symbol.dispose](): void {
    this.#child.kill("SIGKILL");
  }
}

/** The command that gives a program a terminal of a size: `script` of util-linux, or Python. Throws where there is neither. */
export function inTerminal(words: readonly string[], { columns, rows }: { columns: number; rows: number }): string[] {
  const command = `stty cols ${columns} rows ${rows}; exec ${words.map(quoted).join(" ")}`;
  const recorder = "script";
  if (/util-linux/.test(String(spawnSync(recorder, ["--version"]).stdout)))
    return [recorder, "--quiet", "--return", "--flush", "--command", command, "/dev/null"];
  const python = "import os, pty, sys; sys.exit(os.waitstatus_to_exitcode(pty.spawn(['sh', '-c', sys.argv[1]])))";
  if (spawnSync("python3", ["--version"]).status === 0) return ["python3", "-c", python, command];
  throw new Error(
    "PseudoTerminal: no terminal can be made; expected script of util-linux or python3 on the PATH, got neither; install one",
  );
}

function quoted(word: string): string {
  return `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
