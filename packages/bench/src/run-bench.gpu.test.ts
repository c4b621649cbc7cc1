import { fileDirectory } from "@kto/core/node";
import { fixturePath } from "@kto/testing/workspace";
import { OutOfMemoryError, requestDevice, type Device } from "@kto/tensor";
import { expect, it, vi } from "vitest";
import { benchCases, runBench, type BenchCase, type BenchOptions, type CaseResult } from "./index.js";

async function resultsOf(options: Omit<BenchOptions, "openDevice">): Promise<{ results: CaseResult[]; opened: number }> {
  let device: Device | undefined;
  let opened = 0;
  try {
    const results: CaseResult[] = [];
    const openDevice = async (): Promise<Device> => ((opened += 1), (device = await requestDevice()));
    for await (const result of runBench({ quick: true, shape: "tiny", openDevice, ...options })) results.push(result);
    return { results, opened };
  } finally {
    await device?.[Symbol.asyncDispose]();
  }
}

it("every case times what it says, on one device, and leaves nothing on it", async () => {
  const { results, opened } = await resultsOf({ model: fileDirectory(fixturePath("model")) });
  expect(opened).toBe(1);
  expect(results.map((result) => result.case)).toEqual(benchCases.map(({ name }) => name));
  for (const { measurements, problem } of results) {
    expect(problem).toBeUndefined();
    expect(measurements.length).toBeGreaterThan(0);
    expect(new Set(measurements.map(({ name }) => name)).size).toBe(measurements.length);
    for (const { milliseconds } of measurements) expect(milliseconds).toBeGreaterThan(0);
  }
  const step = results.find((result) => result.case === "step")!;
  expect(step.measurements.map(({ name }) => name)).toEqual([
    "2 × 1 rows of 32, activations kept",
    "2 × 1 rows of 32, every layer run again",
  ]);
  expect(step.measurements[1]!.facts!["launches"]).toBeGreaterThan(step.measurements[0]!.facts!["launches"]!);
});

const failing: BenchCase = {
  name: "failing",
  about: "",
  needs: { device: true },
  // oxlint-disable-next-line require-yield
  async *run() {
    throw new OutOfMemoryError("GPU: out of memory", { requestedBytes: 1, allocatedBytes: 0 });
  },
};
const one: BenchCase = {
  name: "one",
  about: "",
  needs: {},
  async *run() {
    yield { name: "one", milliseconds: 1 };
  },
};

it("a case without room is told, and the next goes on; one without its model too", async () => {
  const loading = benchCases.find(({ name }) => name === "loading")!;
  const { results } = await resultsOf({ cases: [failing, loading, one] });
  expect(results.map(({ problem }) => problem)).toEqual([
    "GPU: out of memory",
    "loading: it needs a model; expected a model folder, got none",
    undefined,
  ]);
});

it("opens no device where none is needed, ends at a signal, and throws what is no error of its own", async () => {
  expect((await resultsOf({ cases: [one] })).opened).toBe(0);
  const stop = new AbortController();
  const onProgress = vi.fn(() => stop.abort(new Error("enough")));
  await expect(resultsOf({ cases: [one, one], signal: stop.signal, onProgress })).rejects.toThrow("enough");
  const broken: BenchCase = {
    ...one,
    // oxlint-disable-next-line require-yield
    async *run() {
      throw new TypeError("no");
    },
  };
  await expect(resultsOf({ cases: [broken] })).rejects.toThrow(TypeError);
});
