import { defineOp, kernelRegistry, mul, requestDevice, sigmoid, type Device, type Tensor } from "@kto/tensor";
import { checkOp, Numbers, type OpCase } from "@kto/testing";
import { afterAll, beforeAll, expect, test } from "vitest";
import { logCosh } from "./log-cosh.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

const caseOf = (shape: number[], run: (x: Tensor) => Tensor = logCosh, scale = 1): OpCase<"x"> => ({
  name: `logCosh ${shape.join(" × ")}`,
  inputs: { x: new Numbers(shape.length).input(shape, { scale }) },
  run: (at) => run(at.x),
  reference: (at) => at.x.map((x) => Math.abs(x) + Math.log1p(Math.exp(-2 * Math.abs(x))) - Math.LN2),
});

test.each([[[1]], [[3, 5]], [[65]], [[2, 129]]])("value and gradient of shape %j are those of float64", async (shape) => {
  expect((await checkOp(device, caseOf(shape))).kernels).toEqual(expect.arrayContaining(["logCosh", "logCoshBackward"]));
});

test("far from 0, where e^x would overflow", async () => {
  await checkOp(device, caseOf([33], logCosh, 300));
});

test("more than 65,535 workgroups", async () => {
  const size = 64 * 65_535 + 3;
  const x = device.tensor(new Float32Array(size).fill(1), [size], "f32");
  const y = logCosh(x);
  const values = await y.read();
  expect(values.at(-1)).toBeCloseTo(Math.log(Math.cosh(1)), 5);
  expect(values.every((value) => value === values[0])).toBe(true);
  for (const tensor of [x, y]) tensor.dispose();
});

test("both kernels can be printed", () => {
  expect([...kernelRegistry.keys()]).toEqual(expect.arrayContaining(["logCosh", "logCoshBackward"]));
});

test("a gradient that is wrong is told, with its place", async () => {
  const wrong = defineOp("wrongLogCosh", {
    forward: (_context, { x }: { x: Tensor }, _attributes: object) => ({ output: logCosh(x.detach()), saved: { x } }),
    vjp: (_context, { x }, dy) => ({ x: mul(dy, sigmoid(x)) }), // tanh is another S
  });
  await expect(
    checkOp(
      device,
      caseOf([3, 5], (x) => wrong({ x }, {}).output),
    ),
  ).rejects.toThrow(/logCosh 3 × 5: gradient of x .* values are off; worst at index \d+: expected -?[\d.]+, got -?[\d.]+/);
});
