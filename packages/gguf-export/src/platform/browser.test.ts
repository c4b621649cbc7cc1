import { resolveObjectURL } from "node:buffer";
import { runInThisContext } from "node:vm";
import { afterEach, expect, it, vi } from "vitest";
import { compileModule } from "../quantizer/compiled-module.js";
import { quantize } from "../quantize.js";
import { availableThreads, startThread } from "./browser.js";

afterEach(() => vi.unstubAllGlobals());

interface Scope {
  onmessage?: (event: { data: unknown }) => void;
  postMessage(data: unknown): void;
}

/** As a browser's, but that the script runs in this thread. */
class FakeWorker extends EventTarget {
  readonly #scope: Promise<Scope>;

  constructor(url: string) {
    super();
    this.#scope = this.#run(resolveObjectURL(url) as Blob);
    this.#scope.catch((error: Error) => this.dispatchEvent(Object.assign(new Event("error"), { message: error.message })));
  }

  async #run(blob: Blob): Promise<Scope> {
    const scope: Scope = { postMessage: (data) => void this.dispatchEvent(Object.assign(new Event("message"), { data })) };
    (runInThisContext(`(self) => { ${await blob.text()} }`) as (self: Scope) => void)(scope);
    return scope;
  }

  async postMessage(data: unknown): Promise<void> {
    (await this.#scope).onmessage?.({ data });
  }

  terminate(): void {}
}

it("runs the script of the workers, and takes its address back once it has begun", async () => {
  vi.stubGlobal("Worker", FakeWorker);
  const revoked = vi.spyOn(URL, "revokeObjectURL");
  const { module, workerScript } = (await compileModule())!;
  const values = Float32Array.from({ length: 256 }, (_, i) => Math.sin(i));
  const replies: unknown[] = [];
  const done = new Promise<void>((resolve, reject) => {
    const onMessage = (message: unknown): void => void (replies.push(message) === 2 && resolve());
    const thread = startThread(workerScript, { onMessage, onFailure: reject })!;
    thread.send(module, []);
    thread.send({ type: "Q4_K", values, rowSize: 256 }, []);
  });
  await done;
  expect(replies).toEqual(["ready", { bytes: quantize(values, "Q4_K") }]);
  expect(revoked).toHaveBeenCalled();
});

it("reports a script that does not start", async () => {
  vi.stubGlobal("Worker", FakeWorker);
  const failure = await new Promise((onFailure) => startThread("throw new Error('forbidden')", { onMessage: onFailure, onFailure }));
  expect(failure).toMatchObject({ message: "forbidden" });
});

it("has no threads where there are no workers", () => {
  vi.stubGlobal("Worker", undefined);
  expect(startThread("", { onMessage() {}, onFailure() {} })).toBe(undefined);
});

it("knows how many threads there are", () => {
  vi.stubGlobal("navigator", { hardwareConcurrency: 6 });
  expect(availableThreads()).toBe(6);
  vi.stubGlobal("navigator", {});
  expect(availableThreads()).toBe(1);
});
