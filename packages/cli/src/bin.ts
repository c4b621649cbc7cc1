import { launchedRanks } from "@kto/core/node";
import { InterruptedError } from "./errors.js";
import { main } from "./main.js";
import { wrapOn } from "./render/status-line.js";
import { listenForSignals } from "./signals.js";

const interrupted = new AbortController();

/** Whether the last line of the terminal is a bar. */
let hasBar = false;

/** The first signal lets the step in flight finish and a checkpoint be written, or what was downloaded be kept; the second stops at once. */
function onSignal(name: NodeJS.Signals): void {
  const isHeardOf = (launchedRanks(process.env)?.rank ?? 0) === 0; // of several ranks one speaks
  // Over a bar, if there is one: it leaves the cursor behind its line.
  if (isHeardOf) process.stderr.write(hasBar ? "\r\u001b[J" : "\n");
  hasBar = false;
  if (interrupted.signal.aborted) process.exit(130);
  if (isHeardOf) process.stderr.write(`kto: ${name}: stopping in good order; once more to stop at once\n`);
  interrupted.abort(new InterruptedError(`interrupted by ${name}`));
}
const endListening = listenForSignals(process.env, onSignal);

/** What became of stdout: its reader left, or it could not be written. */
let lost: "reader" | "output" | undefined;
// Not process.exit: the device may be at work, and its threads must end first.
process.stdout.on("error", ({ code }: NodeJS.ErrnoException) => {
  if (lost !== undefined) return;
  lost = code === "EPIPE" ? "reader" : "output"; // a reader that closes early (`kto score … | head`) is no failure
  if (lost === "output") {
    process.stderr.write(
      `kto: error[FILE]: stdout: the result was not written; expected room for it, got ${code}; free some space, or send it elsewhere\n`,
    );
    process.exitCode = 1;
  }
  interrupted.abort(new InterruptedError("nobody takes the result"));
});
// Progress that nobody can see is no reason to give up a run.
process.stderr.on("error", () => {});

const status = await main(process.argv.slice(2), {
  get stdin() {
    return process.stdin; // opened by who reads it
  },
  stdout: process.stdout,
  stderr: {
    write: (text) => {
      hasBar = process.stderr.isTTY && text.endsWith(wrapOn);
      return lost !== undefined || process.stderr.write(text);
    },
    isTTY: process.stderr.isTTY,
    get columns() {
      return process.stderr.columns;
    },
  },
  env: process.env,
  signal: interrupted.signal,
});
process.exitCode = lost === undefined ? status : lost === "reader" ? 0 : 1;
endListening();
