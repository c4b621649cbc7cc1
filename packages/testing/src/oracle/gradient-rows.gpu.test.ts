import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { expectClose } from "../index.js";
import {
  add,
  backward,
  causalAttention,
  checkpoint,
  defineOp,
  embedding,
  gatherRows,
  linear,
  lowRankAdd,
  mul,
  prefixBounds,
  requestDevice,
  rmsNorm,
  rope,
  ropeTables,
  ShapeError,
  sub,
  sum,
  swiGlu,
  view,
  withGradientRows,
  type Device,
  type FloatDtype,
  type Tensor,
} from "@kto/tensor";

let device: Device;
let before = 0;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());
beforeEach(() => {
  before = device.memory.info().liveStorages;
});
afterEach(() => {
  device.recorder.variants.clear();
  expect(device.memory.info().liveStorages, "live storages").toBe(before);
});

const [numTokens, count, width] = [9, 5, 32];
const ids = [3, 1, 4, 1, 5, 2, 6, 5, 3];

interface Leaves {
  table: Tensor;
  weight: Tensor;
  bias: Tensor;
  scale: Tensor;
  a: Tensor;
  b: Tensor;
}

function leaves(): Leaves {
  const leaf = (shape: number[], seed: number): Tensor => {
    const size = shape.reduce((product, each) => product * each, 1);
    const values = Float32Array.from({ length: size }, (_, i) => (((i + seed) * 7919) % 251) / 125 - 1);
    const tensor = device.tensor(values, shape, "f32", `leaf ${seed}`);
    tensor.requiresGrad = true;
    return tensor;
  };
  return {
    table: leaf([7, width], 1),
    weight: leaf([width, width], 2),
    bias: leaf([width], 3),
    scale: leaf([width], 4),
    a: leaf([4, width], 5),
    b: leaf([width, 4], 6),
  };
}

type Build = (x: Tensor, leaves: Leaves) => Tensor;

/** Numbers in f16, which few adapters compute, with the gradient of x: what a cast would give. */
const halves = defineOp("halves", {
  rows: ["x"],
  forward: (_context, { x }: { x: Tensor }) => ({
    output: device.tensor(
      Array.from({ length: x.size }, (_, i) => ((i * 7919) % 256) / 128 - 1),
      x.shape,
      "f16",
    ),
    saved: {},
  }),
  vjp: (_context, _saved, dy) => ({ x: dy }),
});

const attends =
  (dtype: FloatDtype): Build =>
  (x) => {
    const q = dtype === "f16" ? halves({ x }, {}).output : x; // two heads of 16, or one of 32 that matrix units take
    const heads = dtype === "f16" ? { numHeads: 1, numKeyValueHeads: 1, headDim: 32 } : { numHeads: 2, numKeyValueHeads: 2, headDim: 16 };
    // The last row goes on from the first three tokens, so that keys before `count` are seen by queries after it.
    const bounds = prefixBounds(device, [3, 2, 4], [undefined, undefined, { row: 0, length: 3 }]);
    return causalAttention(q, q, q, { ...heads, ...bounds, dtype: "f32" });
  };

const positions = (): Tensor => device.tensor([0, 1, 2, 3, 4, 0, 1, 2, 3], [numTokens], "u32");

const builds: Record<string, Build> = {
  embedding: (x) => x,
  rmsNorm: (x, { scale }) => rmsNorm(x, scale, { eps: 1e-6 }),
  linear: (x, { weight, bias }) => linear(x, weight, bias),
  lowRankAdd: (x, { a, b }) => lowRankAdd(x, x, a, b, { scale: 0.5 }),
  "lowRankAdd with dropout": (x, { a, b }) => {
    const dropout = device.tensor(
      Array.from({ length: numTokens * width }, (_, i) => i % 2),
      [numTokens, width],
      "f32",
    );
    return lowRankAdd(x, x, a, b, { scale: 0.5, dropout });
  },
  rope: (x) => rope(x, positions(), { headDim: 16, ...ropeTables(device, { headDim: 16, maxPositions: 8, theta: 100 }) }),
  swiGlu: (x, { weight }) => swiGlu(x, linear(x, weight)),
  "add and sub": (x, { weight }) => sub(add(x, linear(x, weight)), x),
  "add of a row to all": (x, { bias }) => add(x, bias),
  "an op that knows nothing of it": (x, { weight }) => linear(mul(x, x), weight),
  "a view between": (x, { weight }) => linear(view(linear(x, weight), [numTokens, width]), weight),
  "a checkpoint": (x, { weight, scale }) => checkpoint((input) => rmsNorm(linear(input, weight), scale, { eps: 1e-6 }), linear(x, weight)),
  "a checkpoint of the first": (x, { weight }) => checkpoint((input) => linear(input, weight), x.detach()),
};

/** Gradients of all leaves of a sum over the first rows, and its value. */
async function outcome(build: Build, isMarked: boolean): Promise<Float32Array[]> {
  const results = device.scope(() => {
    const of = leaves();
    const inputIds = device.tensor(ids, [numTokens], "u32", "ids");
    const x = embedding(isMarked ? withGradientRows(inputIds, { count }) : inputIds, of.table); // [numTokens, width]
    const y = build(x, of);
    const first = gatherRows(y, device.tensor([0, 1, 2, 3, 4], [count], "u32"));
    const loss = sum(mul(first, first));
    using gradients = backward(loss);
    const found = Object.values<Tensor>({ ...of }).map((leaf) => gradients.get(leaf)?.detach() ?? device.zeros([1], "f32"));
    return [view(loss.detach(), [1]), ...found];
  });
  const read = await device.readAll(results);
  for (const tensor of results) tensor.dispose();
  return read;
}

async function expectSameGradients(build: Build): Promise<void> {
  const expected = await outcome(build, false);
  const found = await outcome(build, true);
  found.forEach((values, index) => expectClose(values, expected[index]!, { rtol: 1e-5, atol: 1e-5, label: `result ${index}` }));
}

describe("where only the first rows take gradients", () => {
  it.each(Object.entries(builds))("these are what they are where all do, and nothing uses the others: %s", (_, build) =>
    expectSameGradients(build),
  );

  it.each([
    ["vector", "plain", "f32"],
    ["vector", "subgroup", "f32"],
    ["matrix", "emulated", "f16"],
  ] as const)("so they are of causalAttention on %s units, %s", (way, variant, dtype) => {
    const kernels =
      way === "vector" ? ["attention", "attentionDq", "attentionDkDv"] : ["attentionMatrix", "attentionMatrixDq", "attentionMatrixDkDv"];
    device.recorder.variants.set("causalAttention", way);
    for (const kernel of kernels) device.recorder.variants.set(kernel, variant);
    return expectSameGradients(attends(dtype));
  });

  it("the vjp of an op is given those alone, with the room that was asked for", () => {
    const seen: unknown[] = [];
    const op = defineOp("looks", {
      rows: ["x"],
      forward: (_context, { x, other }: { x: Tensor; other: Tensor }) => ({ output: device.copyOf(x), saved: { x, other } }),
      vjp: ({ shapes }, saved, dy) => {
        seen.push(saved.x.shape, saved.x.rowCapacity, saved.other.shape, dy.shape, shapes.x.shape, shapes.other.shape);
        return { x: dy };
      },
    });
    device.scope(() => {
      const { table, weight } = leaves();
      const x = embedding(withGradientRows(device.tensor(ids, [numTokens], "u32"), { count, capacity: 8 }), table);
      const y = op({ x, other: weight }, {}).output;
      backward(sum(gatherRows(y, device.tensor([4], [1], "u32")))).dispose();
    });
    const rows = [count, width];
    expect(seen).toEqual([rows, 8, [width, width], rows, rows, [width, width]]);
  });

  it("the way back takes the launches of these alone, and a checkpoint keeps their memory", async () => {
    await using none = await requestDevice({ nullBackend: true });
    const layers = 4;
    const step = (numRows: number, gradientRows?: number): { keptBytes: number } =>
      none.scope(() => {
        const weight = none.zeros([256, 256], "f32");
        weight.requiresGrad = true;
        const inputIds = none.zeros([numRows], "u32");
        if (gradientRows) withGradientRows(inputIds, { count: gradientRows, capacity: gradientRows });
        const start = none.memory.info().inUseBytes;
        let x = embedding(inputIds, none.zeros([4, 256], "f32"));
        for (let layer = 0; layer < layers; layer++) {
          const previous = x;
          x = checkpoint((input) => linear(input, weight), previous);
          previous.dispose();
        }
        const loss = sum(gatherRows(x, none.zeros([1], "u32")));
        x.dispose();
        const keptBytes = none.memory.info().inUseBytes - start;
        backward(loss).dispose();
        return { keptBytes };
      });
    const kept = (numRows: number, gradientRows?: number): number => step(numRows, gradientRows).keptBytes;
    const whole = kept(1024);
    expect(kept(2048, 1024)).toBeLessThan(whole + 0.05 * whole);
    expect(kept(2048)).toBeGreaterThan(1.9 * whole);
  });
});

describe("withGradientRows", () => {
  it.each([0, -1, 1.5, 4, Number.NaN])("refuses %d of three rows", (of) => {
    device.scope(() => {
      const tensor = device.zeros([3], "u32", "ids");
      expect(() => withGradientRows(tensor, { count: of })).toThrow(ShapeError);
      expect(() => withGradientRows(tensor, { count: of })).toThrow(`ids: expected a count from 1 to 3, got ${of}`);
    });
  });

  it("refuses what is on the tape", () => {
    device.scope(() => {
      const { weight } = leaves();
      expect(() => withGradientRows(weight, { count: 1 })).toThrow("got a leaf with requiresGrad");
      expect(() => withGradientRows(add(weight, weight), { count: 1 })).toThrow("got the result of an op");
    });
  });
});
