import { expect, it } from "vitest";
import { compileModule } from "./compiled-module.js";
import type { Piece } from "./kernel.js";
import { WorkerPool } from "./worker-pool.js";

const { module, workerScript } = (await compileModule())!;
const piece = (): Piece => ({ type: "Q8_0", values: new Float32Array(32), rowSize: 32 });

/** A worker that says it is ready, and then does something else than work. */
const workerThat = (does: string): string =>
  `port.onmessage = ({ data }) => { if (data instanceof WebAssembly.Module) port.postMessage("ready"); else { ${does} } };`;

it("makes pieces only for workers that have room, in the order of the calls", async () => {
  const pool = (await WorkerPool.open(2, { module, workerScript }))!;
  const made: number[] = [];
  const results = Array.from({ length: 9 }, (_, index) =>
    pool.run(() => {
      made.push(index);
      return index === 6 ? undefined : piece();
    }),
  );
  expect(made).toEqual([0, 1, 2, 3]); // two for each worker
  expect((await Promise.all(results)).map((result) => result && "bytes" in result)).toEqual([
    true,
    true,
    true,
    true,
    true,
    true,
    undefined,
    true,
    true,
  ]);
  expect(made).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8]);
  pool.dispose();
});

it.each([
  ["ends", "process.exit(3)", "the worker thread exited with code 3"],
  ["throws", `setTimeout(() => { throw new Error("no more memory"); })`, "no more memory"],
])("fails all that is asked of it when a worker %s", async (_, does, got) => {
  const pool = (await WorkerPool.open(2, { module, workerScript: workerThat(does) }))!;
  const failures = await Promise.allSettled(Array.from({ length: 6 }, () => pool.run(piece)));
  const expected = {
    code: "CAPABILITY",
    message: `quantize: a worker thread failed; got ${got}; free memory, or open the quantizer with fewer threads`,
  };
  for (const failure of failures) expect(failure).toMatchObject({ status: "rejected", reason: expected });
  await expect(pool.run(piece)).rejects.toMatchObject(expected);
});

it("fails one piece when a worker says that it could not be done", async () => {
  const pool = (await WorkerPool.open(1, {
    module,
    workerScript: workerThat(`port.postMessage(data.rowSize === 7 ? { failure: "seven" } : { isUnusable: true })`),
  }))!;
  await expect(pool.run(() => ({ ...piece(), rowSize: 7 }))).rejects.toMatchObject({
    code: "CAPABILITY",
    message: expect.stringContaining("got seven"),
  });
  expect(await pool.run(piece)).toEqual({ isUnusable: true });
  pool.dispose();
});

it.each([
  ["that do not compile", "this is no script"],
  ["that end at once", "process.exit(0)"],
  ["that cannot take the module", `port.onmessage = () => port.postMessage({ failure: "no" })`],
])("there is no pool of workers %s", async (_, workerScript) => {
  expect(await WorkerPool.open(2, { module, workerScript })).toBe(undefined);
});
