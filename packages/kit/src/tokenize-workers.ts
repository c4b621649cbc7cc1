import { Worker } from "node:worker_threads";
import { CapabilityError } from "@kto/core";
import type { BatchTokens, OpenWorkers, RowBatch, TokenizeWorkers } from "@kto/trainer";

/** Starts a thread; in the workspace, whose tests and scripts run without a build, one that reads its source. */
function startThread(workerData: unknown): Worker {
  if (!import.meta.url.endsWith(".ts")) return new Worker(new URL("./tokenize-worker.js", import.meta.url), { workerData, execArgv: [] });
  const url = JSON.stringify(new URL("./tokenize-worker.ts", import.meta.url).href);
  const script = `import("tsx/esm/api").then(({ register }) => { register(); return import(${url}); })`;
  return new Worker(script, { eval: true, workerData, execArgv: ["--conditions=@kto/source"] });
}

/** Somebody who waits for a batch. */
interface Owed {
  resolve(tokens: BatchTokens): void;
  reject(cause: unknown): void;
}

/** Starts so many worker threads for `prepare…Dataset`. They end with the preparation. */
export function tokenizeWorkers(count: number): OpenWorkers {
  return async (setup) => {
    const pool = new Pool();
    try {
      await Promise.all(Array.from({ length: count }, () => pool.start(setup)));
      return pool;
    } catch (error) {
      pool.dispose();
      throw error;
    }
  };
}

class Pool implements TokenizeWorkers {
  readonly #workers: { worker: Worker; owed: Owed[] }[] = [];
  #error: CapabilityError | undefined;

  get size(): number {
    return this.#workers.length;
  }

  /** Starts a thread; resolves when it takes rows. */
  start(workerData: unknown): Promise<void> {
    return new Promise((ready, reject) => {
      const worker = startThread(workerData);
      const state = { worker, owed: [] as Owed[] };
      this.#workers.push(state);
      const fail = (cause: unknown): void => {
        this.#end(failed(cause));
        reject(this.#error!);
      };
      worker.on("message", (message: BatchTokens | "ready") => (message === "ready" ? ready() : state.owed.shift()!.resolve(message)));
      worker.on("error", fail);
      worker.on("exit", (code) => fail(new Error(`it ended with status ${code}`)));
    });
  }

  tokenize(batch: RowBatch): Promise<BatchTokens> {
    if (this.#error) return Promise.reject(this.#error);
    const { worker, owed } = this.#workers.reduce((least, other) => (other.owed.length < least.owed.length ? other : least));
    return new Promise((resolve, reject) => {
      owed.push({ resolve, reject });
      worker.postMessage(batch, []);
    });
  }

  dispose(): void {
    this.#end(new CapabilityError("tokenize: the worker threads were ended; open others", { missing: "worker" }));
  }

  /** Ends all threads, and what was asked of them with an error. The first is kept: a thread that is ended says that it is. */
  #end(error: CapabilityError): void {
    if (this.#error) return;
    this.#error = error;
    for (const { worker, owed } of this.#workers) {
      void worker.terminate();
      for (const { reject } of owed.splice(0)) reject(error);
    }
  }
}

function failed(cause: unknown): CapabilityError {
  return new CapabilityError(
    {
      operation: "tokenize",
      problem: "a worker thread failed",
      got: cause instanceof Error ? cause.message : String(cause),
      advice: "free memory, or lower {datasetNumProc}",
      fields: ["datasetNumProc"],
    },
    { missing: "worker", cause },
  );
}
