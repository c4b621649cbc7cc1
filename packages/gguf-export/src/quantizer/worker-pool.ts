import { CapabilityError } from "@kto/core";
import { startThread } from "#platform";
import type { Thread } from "../platform/types.js";
import type { CompiledModule } from "./compiled-module.js";
import type { PieceResult } from "./kernel.js";
import { disposedError, type MakePiece, type Runner } from "./runner.js";
import type { WorkerReply } from "./worker.js";

/** Pieces that a worker has at a time: one that it works on and one that waits, so that the worker never does. */
const DEPTH = 2;

/** Somebody who waits for the result of a piece. */
interface Owed {
  resolve(result: PieceResult | undefined): void;
  reject(cause: unknown): void;
}

/** A worker with an instance of the compiled quantisers, and what it owes, in order. */
interface WorkerState {
  readonly thread: Thread;
  readonly owed: Owed[];
}

/** Worker threads that take pieces as they become free. */
export class WorkerPool implements Runner {
  readonly #workers: WorkerState[] = [];
  readonly #queue: (Owed & { make: MakePiece })[] = [];
  #ended: CapabilityError | undefined;

  private constructor() {}

  /** Starts so many workers; nothing where there are none, or a page's policy does not let them start. */
  static async open(threads: number, compiled: CompiledModule): Promise<WorkerPool | undefined> {
    const pool = new WorkerPool();
    try {
      await Promise.all(Array.from({ length: threads }, () => pool.#start(compiled)));
      return pool;
    } catch {
      pool.dispose();
      return undefined;
    }
  }

  get threads(): number {
    return this.#workers.length;
  }

  run(make: MakePiece): Promise<PieceResult | undefined> {
    return new Promise((resolve, reject) => {
      if (this.#ended) return reject(this.#ended);
      this.#queue.push({ make, resolve, reject });
      this.#pump();
    });
  }

  dispose(): void {
    this.#end(disposedError());
  }

  #start({ module, workerScript }: CompiledModule): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const owed: Owed[] = [{ resolve, reject }];
      const thread = startThread(workerScript, {
        onMessage: (message) => this.#onReply(worker, message as WorkerReply),
        onFailure: (cause) => this.#end(workerFailed(cause)),
      });
      if (!thread) throw new Error("there are no workers here");
      const worker: WorkerState = { thread, owed };
      this.#workers.push(worker);
      thread.send(module, []);
    });
  }

  #onReply({ thread, owed }: WorkerState, reply: WorkerReply): void {
    if (this.#ended) return;
    const { resolve, reject } = owed.shift()!;
    if (reply === "ready") resolve(undefined);
    else if ("failure" in reply) reject(workerFailed(reply.failure));
    else resolve(reply);
    this.#pump();
    if (owed.length === 0) thread.setBusy(false);
  }

  /** Makes pieces for workers that have room. */
  #pump(): void {
    for (;;) {
      const worker = this.#workers.reduce((least, other) => (other.owed.length < least.owed.length ? other : least));
      const next = worker.owed.length < DEPTH ? this.#queue.shift() : undefined;
      if (!next) return;
      const piece = next.make();
      if (!piece) {
        next.resolve(undefined);
        continue;
      }
      worker.owed.push(next);
      worker.thread.setBusy(true);
      worker.thread.send(piece, [piece.values.buffer as ArrayBuffer]);
    }
  }

  /** Ends all workers, and what was asked of them, with an error. The first is kept: a worker that is ended reports that it did. */
  #end(error: CapabilityError): void {
    if (this.#ended) return;
    this.#ended = error;
    const owed = [...this.#workers.flatMap((worker) => worker.owed.splice(0)), ...this.#queue.splice(0)];
    for (const { thread } of this.#workers) thread.end();
    for (const { reject } of owed) reject(error);
  }
}

function workerFailed(cause: unknown): CapabilityError {
  return new CapabilityError(
    {
      operation: "quantize",
      problem: "a worker thread failed",
      got: cause instanceof Error ? cause.message : String(cause),
      advice: "free memory, or open the quantizer with fewer threads",
    },
    { missing: "worker", cause },
  );
}
