import { readArguments, usage } from "./arguments.js";

// `npm run demo [-- --field value …]`: KTO on a tiny model, start to finish.
const started = performance.now();
const interrupted = new AbortController();

/** The first signal ends the step in flight and writes a checkpoint; the second stops at once. */
function onSignal(): void {
  if (interrupted.signal.aborted) {
    if (process.stderr.isTTY) process.stderr.write("\n"); // below the bar, if there is one
    process.exit(130);
  }
  interrupted.abort();
}
process.on("SIGINT", onSignal);
process.on("SIGTERM", onSignal);

const args = readArguments(process.argv.slice(2));
if (args.help) console.log(usage);
else if (args.refused.length > 0) {
  console.error(
    `demo: ${args.refused.join(" ")}: not usable, since the demo measures its own model and data; expected other fields of kto train; see npm run kto -- train --help`,
  );
  process.exitCode = 2;
} else {
  console.log("A small model was taught to add from sums of which half were wrong.");
  console.log("KTO mends it with nothing but 👍 and 👎 on its own answers.\n");
  const { runDemo } = await import("./run-demo.js"); // after the first lines: it takes a while to load
  const io = { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: interrupted.signal };
  const { status } = await runDemo({ args, io });
  if (status === 0) console.log(`\ntime       ${((performance.now() - started) / 1000).toFixed(0)} s in all`);
  process.exitCode = status;
}
process.off("SIGINT", onSignal);
process.off("SIGTERM", onSignal);
