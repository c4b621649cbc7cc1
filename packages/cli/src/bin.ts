import { InterruptedError } from "./errors.js";
import { main } from "./main.js";

const interrupted = new AbortController();

/** The first signal lets the step in flight finish and a checkpoint be written, or what was downloaded be kept; the second stops at once. */
function onSignal(name: NodeJS.Signals): void {
  if (interrupted.signal.aborted) {
    if (process.stderr.isTTY) process.stderr.write("\u001b[?25h\u001b[?7h\n"); // the cursor and line wrapping, which bars turn off
    process.exit(130);
  }
  process.stderr.write(`\nkto: ${name}: stopping in good order; once more to stop at once\n`);
  interrupted.abort(new InterruptedError(`interrupted by ${name}`));
}
process.on("SIGINT", onSignal);
process.on("SIGTERM", onSignal);

// A reader that closes early (`kto score … | head`) is no failure.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  if (error.code !== "EPIPE") throw error;
  process.exit(0);
});

process.exitCode = await main(process.argv.slice(2), {
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  signal: interrupted.signal,
});
process.off("SIGINT", onSignal);
process.off("SIGTERM", onSignal);
