import { availableParallelism } from "node:os";
import { Worker } from "node:worker_threads";
import type { Thread, ThreadEvents } from "./types.js";

/** Threads that run at the same time on this machine. */
export const availableThreads = (): number => availableParallelism();

/** Starts a thread with a script that finds its end of the messages as `port`. */
export function startThread(script: string, { onMessage, onFailure }: ThreadEvents): Thread {
  const port = `const port = process.getBuiltinModule("node:worker_threads").parentPort;`;
  const worker = new Worker(`${port}\n${script}`, { eval: true, execArgv: [] }); // not the loaders of the program
  worker.on("message", onMessage);
  worker.on("error", onFailure);
  worker.on("exit", (code) => onFailure(new Error(`the worker thread exited with code ${code}`)));
  return {
    send: (message, transfer) => worker.postMessage(message, transfer),
    setBusy: (isBusy) => (isBusy ? worker.ref() : worker.unref()),
    end: () => void worker.terminate(),
  };
}
