import type { Thread, ThreadEvents } from "./types.js";

/** Threads that run at the same time on this machine; some browsers say fewer than there are. */
export const availableThreads = (): number => navigator.hardwareConcurrency || 1;

/** Starts a thread with a script that finds its end of the messages as `port`; nothing where there are no workers. */
export function startThread(script: string, { onMessage, onFailure }: ThreadEvents): Thread | undefined {
  if (typeof Worker === "undefined") return undefined;
  const url = URL.createObjectURL(new Blob([`const port = self;\n${script}`], { type: "text/javascript" }));
  const worker = new Worker(url);
  const forget = (): void => URL.revokeObjectURL(url);
  worker.addEventListener("message", ({ data }) => {
    forget();
    onMessage(data);
  });
  worker.addEventListener("error", (event) => {
    forget();
    onFailure(new Error(event.message || "the worker could not be started")); // a page's policy may forbid scripts of blob:
  });
  worker.addEventListener("messageerror", () => onFailure(new Error("a message could not be read")));
  return { send: (message, transfer) => worker.postMessage(message, [...transfer]), setBusy: () => {}, end: () => worker.terminate() };
}
