import { linear, type Device, type FloatDtype, type Tensor } from "@kto/tensor";

/** Speed and error of a device, measured in about two seconds. */
export interface SelfTest {
  gemmTflops: number;
  copyGBs: number;
  /** Largest |y − ŷ| of sampled elements, as a share of the largest |ŷ|; ŷ in float64. */
  maxRelativeError: number;
}

const sampledElements = 256;
const secondsEach = 1;

/** Times a growing matrix product and a copy, and checks the product against float64. */
export async function selfTest(device: Device): Promise<SelfTest> {
  return { maxRelativeError: await gemmError(device, 192), gemmTflops: await gemmTflops(device), copyGBs: await copyGBs(device) };
}

async function gemmError(device: Device, size: number): Promise<number> {
  const dtype = operandType(device);
  const [a, b] = [1, 2].map((seed) => device.tensor(pseudoRandom(size * size, seed), [size, size], dtype, "self-test")) as [Tensor, Tensor];
  const y = device.noGrad(() => linear(a, b)); // [size, size] f32
  const [left, right, got] = [await a.read(), await b.read(), await y.read()];
  let [error, largest] = [0, 0];
  for (let sample = 0; sample < sampledElements; sample++) {
    const [row, col] = [(sample * 37) % size, (sample * 101) % size];
    let expected = 0;
    for (let k = 0; k < size; k++) expected += left[row * size + k]! * right[col * size + k]!;
    error = Math.max(error, Math.abs(got[row * size + col]! - expected));
    largest = Math.max(largest, Math.abs(expected));
  }
  for (const tensor of [a, b, y]) tensor.dispose();
  return error / largest;
}

/** Sizes double while a product is short; the last one is timed. */
async function gemmTflops(device: Device): Promise<number> {
  const dtype = operandType(device);
  const deadline = performance.now() + secondsEach * 1000;
  let best = 0;
  for (let size = 256; size <= 4096 && performance.now() < deadline; size *= 2) {
    const [a, b] = [device.zeros([size, size], dtype), device.zeros([size, size], dtype)];
    const run = (): void => device.noGrad(() => linear(a, b)).dispose();
    const seconds = await secondsOf(device, run, Math.min(deadline, performance.now() + 250));
    best = Math.max(best, (2 * size ** 3) / seconds / 1e12);
    a.dispose();
    b.dispose();
  }
  return best;
}

async function copyGBs(device: Device): Promise<number> {
  const bytes = Math.min(device.capabilities.software ? 2 ** 24 : 2 ** 28, device.capabilities.maxBufferBytes);
  const [from, to] = [device.zeros([bytes / 4], "f32"), device.zeros([bytes / 4], "f32")];
  const seconds = await secondsOf(device, () => device.copyInto(to, from), performance.now() + secondsEach * 500);
  from.dispose();
  to.dispose();
  return (2 * bytes) / seconds / 1e9;
}

/** Seconds of one run: the fastest of batches that grow until the deadline; the first run, which compiles, does not count. */
async function secondsOf(device: Device, run: () => void, deadline: number): Promise<number> {
  run();
  await device.sync();
  let best = Infinity;
  let count = 1;
  do {
    const start = performance.now();
    for (let index = 0; index < count; index++) run();
    await device.sync();
    const seconds = (performance.now() - start) / 1000;
    best = Math.min(best, seconds / count);
    if (seconds < 0.03) count *= 2;
  } while (performance.now() < deadline);
  return best;
}

function operandType(device: Device): FloatDtype {
  return device.capabilities.shaderF16 ? "f16" : "f32";
}

/** Numbers in [−1, 1), the same at every call. */
function pseudoRandom(count: number, seed: number): Float32Array {
  let state = seed;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 31 - 1;
  });
}
