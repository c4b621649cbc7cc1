import { readFileSync } from "node:fs";
import { backward, requestDevice, sum, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { Qwen2ForCausalLM, readQwen2Config, writeQwen2Config } from "./index.js";
import { fileDirectory } from "./node.js";

interface RopeCase {
  name: string;
  config: Record<string, unknown>;
  short: number[];
  long: number[];
  shortBesideLong: number[];
}
const json = (path: string): unknown => JSON.parse(readFileSync(fixturePath(path), "utf8"));
const { rows, cases } = json("rope/cases.json") as {
  rows: { short: number[]; long: number[] };
  cases: RopeCase[];
};
const { rope_theta: _theta, ...modelJson } = json("model/config.json") as Record<string, unknown>;

let device: Device;
let loaded: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  loaded = await Qwen2ForCausalLM.fromPretrained(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  loaded.dispose();
  device.dispose();
});

/** Log-probabilities of the tokens after the first of some rows that are packed together. */
async function logProbs(model: Qwen2ForCausalLM, packed: readonly number[][], longestRow?: number): Promise<number[][]> {
  using result = device.scope(() => {
    const labels = device.tensor(
      packed.flatMap((row) => [...row.slice(1), 0]),
      [packed.flat().length],
      "u32",
    );
    return device.noGrad(() => model.logProbs(model.hiddenStates(model.packRows(packed, { longestRow })), labels).logProbs);
  });
  const values = [...(await result.read())];
  let next = 0;
  return packed.map((row) => values.slice(next, (next += row.length) - 1));
}

const expectClose = (got: readonly number[], right: readonly number[]): void => {
  expect(got).toHaveLength(right.length);
  expect(Math.max(...got.map((value, index) => Math.abs(value - right[index]!)))).toBeLessThan(1e-4);
};

/** The same weights under another config; its tables are freed. */
async function withConfig(fields: object, body: (model: Qwen2ForCausalLM) => Promise<void>): Promise<void> {
  const config = readQwen2Config({ ...modelJson, ...fields });
  const live = device.memory.info().liveStorages;
  const weights = new Map(Array.from(loaded.weights, ([name, weight]) => [name, weight.detach()]));
  const model = new Qwen2ForCausalLM(config, weights, { device, dtype: "f32" });
  try {
    await body(model);
  } finally {
    model.dispose();
  }
  expect(device.memory.info().liveStorages, "tables left over").toBe(live);
}

/** Gradient of the summed log-probabilities with respect to the first layer's queries. */
async function queryGradient(model: Qwen2ForCausalLM, gradientCheckpointing: boolean): Promise<number[]> {
  const weight = model.weights.get("model.layers.0.self_attn.q_proj.weight")!;
  weight.requiresGrad = true;
  using gradient = device.scope(() => {
    const packed = [rows.short, rows.long];
    const labels = device.tensor(packed.flat(), [packed.flat().length], "u32");
    const total = device.scope(() =>
      sum(model.logProbs(model.hiddenStates(model.packRows(packed), { gradientCheckpointing }), labels).logProbs),
    );
    return backward(total).take(weight)!;
  });
  weight.requiresGrad = false;
  return [...(await gradient.read())];
}

test.each(cases.filter(({ name }) => ["dynamic", "longrope", "yarn"].includes(name)))(
  "a checkpointed layer is run again with the same positions: $name",
  ({ config }) =>
    withConfig(config, async (model) => {
      const gradient = await queryGradient(model, false);
      expect(Math.max(...gradient)).toBeGreaterThan(0.1);
      expect(await queryGradient(model, true)).toEqual(gradient);
    }),
);

test("rows past what the scaling reaches are refused, with the fields that say so", () =>
  withConfig({ max_position_embeddings: 32, rope_scaling: { type: "yarn", factor: 2 } }, async (model) => {
    model.prepare(64);
    expect(() => model.prepare(65)).toThrow("65 tokens; expected at most 64 (original length × factor of rope_type yarn)");
    await expect(logProbs(model, [rows.long])).rejects.toThrow("80 tokens; expected at most 64");
  }));

test("layers with a sliding window compute what full ones do within it, and longer rows are refused", () =>
  withConfig({ use_sliding_window: true, sliding_window: 20, max_window_layers: 1, layer_types: null }, async (model) => {
    expect(model.maxPositionEmbeddings).toBe(20);
    expectClose((await logProbs(model, [rows.short]))[0]!, cases[0]!.short);
    await expect(logProbs(model, [rows.long])).rejects.toThrow(
      /80 tokens; expected at most 20 \(sliding_window of use_sliding_window true/,
    );
  }));

describe("every scaling of rotary positions gives the log-probabilities of transformers, within and past the original length", () => {
  test.each(cases)("$name", ({ config, short, long, shortBesideLong }) =>
    withConfig(config, async (model) => {
      expectClose((await logProbs(model, [rows.short]))[0]!, short);
      expectClose((await logProbs(model, [rows.long]))[0]!, long);
      const together = await logProbs(model, [rows.short, rows.long]);
      expectClose(together[0]!, shortBesideLong);
      expectClose(together[1]!, long);
      expectClose((await logProbs(model, [rows.short], rows.long.length))[0]!, shortBesideLong); // the other row in another pass
      expectClose((await logProbs(model, [rows.short]))[0]!, short); // nothing stays of the long one
    }),
  );

  test.each(cases)("$name: what is written is read back", ({ config }) => {
    const read = readQwen2Config({ ...modelJson, ...config });
    expect(readQwen2Config(writeQwen2Config(read))).toEqual(read);
  });
});
