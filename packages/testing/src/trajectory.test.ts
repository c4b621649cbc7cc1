import { describe, expect, it } from "vitest";
import { listFixtures, readFixtureJson, readFixtureJsonl } from "./fixtures.js";
import {
  finalAdapterFailures,
  finalAdapterTolerance,
  type LogRecord,
  type RunNoise,
  trajectoryFailures,
  trajectoryTolerance,
} from "./trajectory.js";

describe.each(listFixtures("kto", "runs"))("the rule on kto/runs/%s", (run) => {
  const truth = readFixtureJsonl<LogRecord>("kto", "runs", run, "metrics.f64.jsonl");
  const trl = readFixtureJsonl<LogRecord>("kto", "runs", run, "metrics.jsonl");
  const noise = readFixtureJson<RunNoise>("kto", "runs", run, "f32-vs-f64.json");

  it("passes trl's own float32 log, in both columns", () => {
    expect(trajectoryFailures(trl, truth, noise, { run })).toEqual([]);
    expect(trajectoryFailures(trl, truth, noise, { run, storage: "f16" })).toEqual([]);
  });

  it("fails a loss that is off, a metric that is missing, and a run that is short", () => {
    const off = trl.map((record) => (record["step"] === 7 ? { ...record, loss: record["loss"]! + 1e-3 } : record));
    expect(trajectoryFailures(off, truth, noise, { run })).toEqual([expect.stringMatching(/^step 7: loss: /)]);
    const without = trl.map(({ grad_norm: _, ...record }) => record);
    expect(trajectoryFailures(without, truth, noise, { run })).toHaveLength(truth.length);
    expect(trajectoryFailures(trl.slice(0, -1), truth, noise, { run, metrics: ["loss"] })[0]).toBe("expected 20 steps, got 19");
    expect(
      trajectoryFailures(
        trl,
        truth.map(({ loss: _, ...record }) => record),
        noise,
        { run },
      )[0],
    ).toMatch(/step 1: loss: expected none/);
  });
});

it("allows ten times trl's own noise, and never less than the floor", () => {
  expect(trajectoryTolerance("loss", 1.5e-7, 0.5)).toBe(3e-5);
  expect(trajectoryTolerance("loss", 1e-5, 0.5)).toBeCloseTo(1e-4, 12);
  expect(trajectoryTolerance("loss", 0, -4)).toBeCloseTo(1.2e-4, 12);
  expect(trajectoryTolerance("num_tokens", 0, 6908)).toBe(0);
  expect(trajectoryTolerance("grad_norm", 0, 2)).toBeCloseTo(1e-3, 12);
  expect(trajectoryTolerance("rewards/chosen", 0, 1)).toBe(2e-4);
  expect(trajectoryTolerance("rewards/chosen", 0, 1, { run: "seed-settings" })).toBe(3e-5);
  expect(trajectoryTolerance("rewards/accuracies", 0, 1, { count: 8 })).toBe(0.125);
  expect(trajectoryTolerance("kl", 0, 200, { storage: "f16" })).toBe(1);
  expect(finalAdapterTolerance(7.6e-7)).toBe(5e-5);
  expect(finalAdapterTolerance(3.5e-8, "seed-settings")).toBe(4e-7);
  expect(() => trajectoryTolerance("no/rule", 0, 0)).toThrow(/no rule for metric "no\/rule"/);
});

it("finds a drift of the f16 loss that no single step shows", () => {
  const expected = Array.from({ length: 10 }, (_, i) => ({ step: i + 1, loss: 0.5 }));
  const drifted = expected.map(({ step }) => ({ step, loss: 0.503 }));
  expect(trajectoryFailures(drifted, expected, {}, { storage: "f16" })).toEqual([
    expect.stringMatching(/^loss: mean signed difference 0\.003/),
  ]);
});

it("a final adapter is told from another: values, norms, NaN, tensors that lack or are too many", () => {
  const actual = new Map([["a", Float32Array.of(3, 4)]]);
  const tensors = (values: number[], name = "a"): ReadonlyMap<string, Float32Array> => new Map([[name, Float32Array.from(values)]]);
  expect(finalAdapterFailures(actual, { tensors: tensors([3, 4.05]) }, 0.1)).toEqual([]);
  expect(finalAdapterFailures(actual, { tensors: tensors([3, 4.5]) }, 0.1)).toEqual(["a: off by 0.5, allowed 0.1"]);
  expect(finalAdapterFailures(actual, { tensors: tensors([3]) }, 0.1)).toEqual(["a: 2 values, expected 1"]);
  expect(finalAdapterFailures(actual, { tensors: tensors([3, 4], "b") }, 0.1)).toEqual(["b: missing", "a: not recorded"]);
  expect(finalAdapterFailures(actual, { norms: { a: 5 } }, 0.1)).toEqual([]);
  expect(finalAdapterFailures(actual, { norms: { a: 6 } }, 0.1)).toHaveLength(1);
  expect(finalAdapterFailures(new Map([["a", Float32Array.of(NaN, 4)]]), { norms: { a: 5 } }, 0.1)).toHaveLength(1);
  expect(finalAdapterFailures(new Map([["a", Float32Array.of(NaN, 4)]]), { tensors: tensors([3, 4]) }, 0.1)).toHaveLength(1);
});
