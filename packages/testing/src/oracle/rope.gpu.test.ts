import { expectClose } from "../index.js";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requestDevice, rope, ropeTables, type Device } from "@kto/tensor";

let device: Device;

beforeAll(async () => {
  device = await requestDevice();
});

afterAll(() => device?.dispose());

describe("rope", () => {
  it("gives the worked example of the model's specification", async () => {
    const tables = ropeTables(device, { headDim: 4, theta: 10_000, maxPositions: 4 });
    const y = rope(device.tensor([1, 2, 3, 4], [1, 4], "f32"), device.tensor([3], [1], "u32"), { headDim: 4, ...tables });
    expectClose(await y.read(), [-1.413352520780047, 1.8791180666879925, -2.828857481741469, 4.058191135400942], {
      rtol: 1e-6,
      atol: 0,
      label: "rope",
    });
  });

  it.each([
    { theta: 10_000, headDim: 128, first: [1, 0.8659643530845642, 0.7498942017555237, 0.6493816375732422], last: 0.00011547819303814322 },
    { theta: 1_000_000, headDim: 128, first: [1, 0.8058422207832336, 0.6493816375732422, 0.5232991576194763], last: 1.2409377632138785e-6 },
    { theta: 1_000_000, headDim: 64, first: [1, 0.6493816, 0.42169651, 0.27384198], last: 1.5399265294036013e-6 },
  ])("takes the inverse frequencies of transformers: theta $theta, headDim $headDim", async ({ theta, headDim, first, last }) => {
    const { sin } = ropeTables(device, { theta, headDim, maxPositions: 2 });
    const ofPositionOne = (await sin.read()).subarray(headDim / 2);
    const expected = [...first, last].map((frequency) => Math.sin(frequency));
    expectClose([...ofPositionOne.subarray(0, 4), ofPositionOne.at(-1)!], expected, { rtol: 1.2e-7, atol: 0, label: "sin" });
  });

  it("is exact far out, where the sine of a GPU is not", async () => {
    const { cos } = ropeTables(device, { theta: 10_000, headDim: 2, maxPositions: 100_001 });
    expect((await cos.read()).at(-1)).toBe(Math.fround(Math.cos(100_000)));
  });

  it("says what does not fit", () => {
    const tables = ropeTables(device, { headDim: 4, theta: 10_000, maxPositions: 4 });
    const positions = device.tensor([0, 1], [2], "u32");
    expect(() => rope(device.zeros([2, 6], "f32"), positions, { headDim: 4, ...tables })).toThrow(
      "rope: rows of x do not divide into heads; expected a multiple of headDim 4, got 6",
    );
    expect(() => rope(device.zeros([3, 4], "f32"), positions, { headDim: 4, ...tables })).toThrow(
      "rope: positions has the wrong shape; expected [3], got [2]",
    );
    expect(() => rope(device.zeros([2, 8], "f32"), positions, { headDim: 8, ...tables })).toThrow(
      "rope: cos has the wrong shape; expected [4, 4], got [4, 2]",
    );
    expect(() => ropeTables(device, { headDim: 3, theta: 10_000, maxPositions: 4 })).toThrow(
      "ropeTables: headDim must be even and positive; got 3",
    );
  });
});
