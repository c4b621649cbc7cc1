import { deviceChoice, settleDevice } from "./open-device.js";
import { runDemo } from "./run-demo.js";

// `npm run demo [-- --device gpu|software]`: KTO on a tiny model, start to finish.
const interrupted = new AbortController();
process.once("SIGINT", () => interrupted.abort());
const started = performance.now();
const { status } = await runDemo({
  device: settleDevice(deviceChoice(process.argv)),
  io: { stdout: process.stdout, stderr: process.stderr, env: process.env, signal: interrupted.signal },
});
if (status === 0) console.log(`time       ${((performance.now() - started) / 1000).toFixed(0)} s in all`);
process.exitCode = status;
