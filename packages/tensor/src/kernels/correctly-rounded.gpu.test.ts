import { afterAll, beforeAll, expect, it } from "vitest";
import type { Device } from "../device/device.js";
import { requestDevice } from "../device/request-device.js";
import { always, defineKernel, read, write } from "./define-kernel.js";
import { correctlyRounded } from "./lib/correctly-rounded.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const count = 40_000;

/** y = a / b, √|a|, a · b + c with the product rounded first. */
const kernel = defineKernel<{ workgroupSize: number; exact: boolean }>()({
  name: "correctlyRoundedTest",
  bindings: { a: read("vec4<f32>"), b: read("vec4<f32>"), c: read("vec4<f32>"), y: write("vec4<f32>") },
  params: { zero: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64, exact: true } }],
  grid: () => oneThreadPer(count / 4, 64),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${correctlyRounded(spec)}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= ${count / 4}u) { return; }
      y[i] = divide(a[i], b[i]);
      y[i + ${count / 4}u] = squareRoot(abs(a[i]));
      y[i + ${count / 2}u] = rounded(a[i] * b[i]) + c[i];
    }`,
});

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

/** Numbers with every significand alike, 2^-30 … 2^30; hard cases first: powers of two, their neighbours, quotients near one. */
function numbers(seed: number): Float32Array {
  const values = new Float32Array(count);
  const bits = new Uint32Array(values.buffer);
  let state = seed;
  const next = (): number => (state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0);
  for (let i = 0; i < count; i++) {
    const fraction = i < 4000 ? (next() >>> 16) % 5 : (next() >>> 8) & 0x7fffff;
    const awkward = i % 2 === 0 ? fraction : (0x800000 - fraction) & 0x7fffff;
    bits[i] = ((next() & 1) << 31) | ((97 + ((next() >>> 16) % 60)) << 23) | awkward;
  }
  values[0] = 0;
  return values;
}

it("quotients, roots and products are those of IEEE 754, bit for bit", async () => {
  const [a, b, c] = [numbers(1), numbers(2).fill(3, 0, 1), numbers(3)];
  for (let i = 0; i < count; i += 2) c[i] = -Math.fround(a[i]! * b[i]!); // a fused product would leave its rounding error
  const y = await device
    .scope(() => {
      const [onDeviceA, onDeviceB, onDeviceC] = [a, b, c].map((values) => device.tensor(values, [count], "f32"));
      const result = device.empty([3 * count], "f32");
      kernel.run(device, { a: onDeviceA!, b: onDeviceB!, c: onDeviceC!, y: result }, { zero: 0 }, {});
      return result;
    })
    .read();
  const off = { quotients: 0, roots: 0, sums: 0 };
  for (let i = 0; i < count; i++) {
    if (y[i] !== Math.fround(a[i]! / b[i]!)) off.quotients++;
    if (y[count + i] !== Math.fround(Math.sqrt(Math.abs(a[i]!)))) off.roots++;
    if (y[2 * count + i] !== Math.fround(Math.fround(a[i]! * b[i]!) + c[i]!)) off.sums++;
  }
  expect(off).toEqual({ quotients: 0, roots: 0, sums: 0 });
});
