import {
  backward,
  clamp,
  div,
  exp,
  log,
  logOneMinusExp,
  logSigmoid,
  maximum,
  mul,
  requestDevice,
  sum,
  where,
  type Device,
  type Tensor,
} from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { expectClose } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

/** Values and gradients of the sum of an op at these numbers. */
async function at(op: (x: Tensor) => Tensor, numbers: number[]): Promise<{ y: number[]; dx: number[] }> {
  using x = device.tensor(numbers, [numbers.length], "f32");
  x.requiresGrad = true;
  const { y, dx } = device.scope(() => {
    const result = op(x);
    return { y: result, dx: backward(sum(result)).take(x)! };
  });
  const read = { y: Array.from(await y.read()), dx: Array.from(await dx.read()) };
  y.dispose();
  dx.dispose();
  return read;
}

describe("where a function has no value, what its docstring says comes out", () => {
  const smallest = Math.log(2 ** -126);

  it("log of 0, of a negative and of a denormal number", async () => {
    const { y, dx } = await at(log, [0, -3, 2 ** -130, 2 ** -126, 3e38]);
    expectClose(y, [smallest, smallest, smallest, smallest, Math.log(3e38)], { rtol: 1e-6, atol: 0, label: "log" });
    expect(dx.slice(0, 3)).toEqual([0, 0, 0]);
    expectClose(dx.slice(3), [2 ** 126, 1 / 3e38], { rtol: 1e-5, atol: 1e-38, label: "gradient of log" });
  });

  it("exp of what has no finite power", async () => {
    const { y, dx } = await at(exp, [88.5, 89, 1e30, -200]);
    const most = Math.exp(88.5);
    expectClose(y, [most, most, most, 0], { rtol: 5e-5, atol: 1e-37, label: "exp" });
    expectClose(dx, [most, 0, 0, 0], { rtol: 5e-5, atol: 1e-37, label: "gradient of exp" });
  });

  it("logOneMinusExp keeps its digits on both sides, and is finite where its argument is no logarithm of a probability", async () => {
    const { y, dx } = await at(logOneMinusExp, [-1e-30, -1e-6, -0.7, -15, -200, 0, 3]);
    const least = Math.log(2 ** -126);
    const expected = [
      Math.log(1e-30),
      Math.log(-Math.expm1(-1e-6)),
      Math.log1p(-Math.exp(-0.7)),
      Math.log1p(-Math.exp(-15)),
      0,
      least,
      least,
    ];
    expectClose(y, expected, { rtol: 1e-5, atol: 0, label: "logOneMinusExp" });
    const slopes = [-1e30, ...[-1e-6, -0.7, -15].map((x) => 1 / -Math.expm1(-x)), 0, 0, 0];
    expectClose(dx, slopes, { rtol: 1e-5, atol: 1e-13, label: "gradient of logOneMinusExp" });
  });

  it("logSigmoid keeps its digits where sigmoid is 1, and does not overflow where it is 0", async () => {
    const { y, dx } = await at(logSigmoid, [20, 10, 0, -20, -1000, 1000]);
    const expected = [20, 10, 0].map((x) => -Math.log1p(Math.exp(-x)));
    expectClose(y, [...expected, -20 - Math.log1p(Math.exp(-20)), -1000, 0], { rtol: 1e-5, atol: 0, label: "logSigmoid" });
    expectClose(dx, [Math.exp(-20), 1 / (1 + Math.exp(10)), 0.5, 1, 1, 0], { rtol: 1e-5, atol: 1e-13, label: "gradient of logSigmoid" });
  });

  it("div by 0, by a denormal number, and a quotient that is too large", async () => {
    const quotients = async (numerators: number[], divisors: number[]): Promise<number[]> => {
      using a = device.tensor(numerators, [numerators.length], "f32");
      using b = device.tensor(divisors, [divisors.length], "f32");
      using y = div(a, b);
      return Array.from(await y.read());
    };
    const most = Math.fround(3e38);
    expect(await quotients([5, -5, 0, 5, 1e30, 6], [0, 0, -0, -(2 ** -140), 1e-30, 2])).toEqual([most, -most, 0, most, most, 3]);
    // Four at a time.
    expect(await quotients([5, -5, 0, 6], [0, 0, 0, 2])).toEqual([most, -most, 0, 3]);
  });

  it("where hides a division by 0 from the gradients too", async () => {
    using a = device.tensor([1, 2, 3], [3], "f32");
    using b = device.tensor([2, 0, 4], [3], "f32");
    a.requiresGrad = b.requiresGrad = true;
    const { y, da, db } = device.scope(() => {
      const result = where(b, div(a, b), device.zeros([], "f32"));
      const gradients = backward(sum(result));
      return { y: result, da: gradients.take(a)!, db: gradients.take(b)! };
    });
    expect(Array.from(await y.read())).toEqual([0.5, 0, 0.75]);
    expect(Array.from(await da.read())).toEqual([0.5, 0, 0.25]);
    expect(Array.from(await db.read(), Math.abs)).toEqual([0.25, 0, 3 / 16]);
    for (const tensor of [y, da, db]) tensor.dispose();
  });

  it("clamp takes infinite bounds, and gives its bounds a gradient", async () => {
    expect(await at((x) => clamp(x, -Infinity, 1), [-3e38, 0, 1, 2])).toEqual({ y: [Math.fround(-3e38), 0, 1, 1], dx: [1, 1, 1, 0] });
    expect(await at((x) => clamp(x, 0, Infinity), [-1, 0, 3])).toEqual({ y: [0, 0, 3], dx: [0, 1, 1] });
    expect(() => clamp(device.zeros([1], "f32"), 2, 1)).toThrow("clamp: expected low to be at most high, got 2 and 1");
    expect(() => clamp(device.zeros([1], "f32"), Number.NaN, 1)).toThrow("clamp: expected low to be at most high, got NaN and 1");
  });

  it("a NaN stays one", async () => {
    for (const op of [
      log,
      exp,
      logSigmoid,
      logOneMinusExp,
      (x: Tensor) => maximum(x, 0),
      (x: Tensor) => clamp(x, 0, 1),
      (x: Tensor) => div(x, mul(x, x)),
    ]) {
      using x = device.tensor([Number.NaN, 1], [2], "f32");
      using y = device.scope(() => op(x));
      expect(Array.from(await y.read(), Number.isNaN)).toEqual([true, false]);
    }
  });

  it("says what does not fit", () => {
    const [a, b] = [device.zeros([2, 3], "f32"), device.zeros([2], "f32")];
    expect(() => div(a, b)).toThrow("div: shapes do not match; expected equal shapes or one that repeats, got [2, 3] and [2]");
    expect(() => where(b, a, a)).toThrow(
      "where: shapes do not match; expected equal shapes or one that repeats, got [2] and [2, 3] and [2, 3]",
    );
    expect(() => where(a, device.zeros([3], "u32"), a)).toThrow("where: a has the wrong dtype; expected f32 or f16, got u32");
  });
});
