import { quantizeNf4, type Nf4Weight } from "@kto/nf4";
import { full, gemm, type Device, type FloatDtype, type Tensor } from "@kto/tensor";
import { expandKernel } from "../../packages/nf4/src/kernels/expand-nf4.wgsl.js";
import { compute, scratch, variantsOf, waysOf, type Direction } from "./products.js";
import { time } from "./timing.js";
import { piecesOf, quantizeOnDevice, weightBytes, type Shape } from "./weights.js";

const micros = (value: number): string => `${value.toFixed(1).padStart(8)} µs`;
const rate = (bytes: number, time: number): string => `${(bytes / time / 1e3).toFixed(0).padStart(5)} GB/s`;
const name = ([n, k]: Shape): string => `[${n}, ${k}]`.padEnd(13);

/** The dtype in which a model computes on this device. */
const operandOf = (device: Device): FloatDtype => (device.capabilities.shaderF16 ? "f16" : "f32");

const weightOf = (device: Device, shape: Shape): Promise<Nf4Weight> =>
  quantizeOnDevice(device, weightBytes(shape[0] * shape[1], "bfloat16"), shape);

/** The matrix written out. */
export async function timeExpand(device: Device, shape: Shape): Promise<void> {
  using weight = await weightOf(device, shape);
  const dtype = operandOf(device);
  for (const variant of variantsOf(device.capabilities, expandKernel, { aligned: true })) {
    device.recorder.variants.set(expandKernel.name, variant);
    const { total } = await time(device, () => weight.dequantize(dtype).dispose());
    device.recorder.variants.delete(expandKernel.name);
    const { bytes } = expandKernel.cost!({ size: weight.numElements } as never, { half: dtype === "f16", nested: true } as never);
    console.log(`expand   ${name(shape)} ${dtype} ${variant.padEnd(8)} ${micros(total)} ${rate(bytes, total)}`);
  }
}

/** Few rows: the codes read directly in every variant, beside the matrix written out; the last column is the quickest. */
export async function timeFewRows(device: Device, shape: Shape, direction: Direction, rows: readonly number[]): Promise<void> {
  using weight = await weightOf(device, shape);
  const ways = waysOf(device, direction, shape).filter((way) => device.capabilities.software || way !== "plain");
  for (const m of rows) {
    const { input, output, free } = sides(device, shape, direction, m);
    const times: [way: string, total: number][] = [];
    for (const way of ways)
      times.push([way, (await time(device, () => compute(device, way, { weight, direction, m, input, output }))).total]);
    free();
    const quickest = times.reduce((best, each) => (each[1] < best[1] ? each : best))[0];
    console.log(
      `few rows ${name(shape)} ${direction.padEnd(8)} ${String(m).padStart(3)} rows: ${times.map(([way, total]) => `${way} ${micros(total)}`).join(", ")} → ${quickest}`,
    );
  }
}

/** Many rows: a matrix written out and multiplied, beside the same product with a matrix that is there already. */
export async function timeManyRows(device: Device, shape: Shape, direction: Direction, m: number): Promise<void> {
  using weight = await weightOf(device, shape);
  using full = weight.dequantize(operandOf(device));
  const [n, k] = shape;
  const { input, output, free } = sides(device, shape, direction, m);
  const plain = await time(device, () =>
    direction === "forward"
      ? gemm({ a: input, b: full, c: output, m, n, k, transposeB: true })
      : gemm({ a: input, b: full, c: output, m, n: k, k: n }),
  );
  const found = await time(device, () => compute(device, scratch, { weight, direction, m, input, output }));
  free();
  const parts = found.parts.map(([kernel, total]) => `${kernel} ${total.toFixed(1)}`).join(", ");
  console.log(
    `product  ${name(shape)} ${direction.padEnd(8)} ${m} rows: four bits ${micros(found.total)} (${parts}), ${operandOf(device)} ${micros(plain.total)}, ${((100 * found.total) / plain.total - 100).toFixed(1)} % more, ${((2 * m * n * k) / found.total / 1e6).toFixed(1)} TFLOP/s`,
  );
}

/** Quantising while loading: kernel time, and with upload, scales and reading them back from the clock. */
export async function timeQuantize(device: Device, shape: Shape): Promise<void> {
  for (const dtype of ["bfloat16", "float16", "float32"] as const) {
    const bytes = weightBytes(shape[0] * shape[1], dtype);
    const load = async (): Promise<void> =>
      (await quantizeNf4(device, { shape, dtype, doubleQuant: true, chunks: piecesOf(bytes), label: "w" })).dispose();
    const walls: number[] = [];
    const started = performance.now();
    do {
      const before = performance.now();
      await load();
      walls.push(performance.now() - before);
    } while (!device.capabilities.software && (performance.now() - started < 700 || walls.length < 5));
    const { timings } = await device.recorder.profile(load);
    const kernel = timings.reduce((sum, { totalMs }) => sum + 1000 * totalMs, 0);
    const wall = 1000 * walls.slice(-5).sort((a, b) => a - b)[Math.floor(Math.min(5, walls.length) / 2)]!;
    console.log(
      `quantise ${name(shape)} ${dtype.padEnd(8)} kernel ${micros(kernel)} ${rate(bytes.byteLength, kernel)}, as a whole ${micros(wall)} ${(bytes.byteLength / wall / 1e3).toFixed(2)} GB/s`,
    );
  }
}

function sides(device: Device, [n, k]: Shape, direction: Direction, m: number): { input: Tensor; output: Tensor; free(): void } {
  const operand = operandOf(device);
  const input = full(device, [m, direction === "forward" ? k : n], 0.25, operand);
  const output = device.empty([m, direction === "forward" ? n : k], direction === "forward" ? operand : "f32");
  return {
    input,
    output,
    free: () => {
      input.dispose();
      output.dispose();
    },
  };
}
