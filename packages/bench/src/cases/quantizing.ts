import { quantizeNf4 } from "@kto/nf4";
import type { BenchCase } from "../measurement.js";
import { gigabytesOf } from "../numbers.js";
import { median, medianMs } from "../timing.js";

const repeats = 7;

/** A matrix of a layer to four bits and back, on the device. */
export const quantizingCase: BenchCase = {
  name: "quantizing",
  about: "a matrix of a layer to four bits (NF4, twice quantised) and back, on the device",
  needs: { device: true },
  async *run(context) {
    const { device, size, signal } = context;
    const shape = [size.config.intermediateSize, size.config.hiddenSize] as const;
    const numWeights = shape[0] * shape[1];
    const values = Uint16Array.from({ length: numWeights }, (_, index) => 0x3c00 | (Math.imul(index + 1, 0x9e3779b1) & 0x83ff)); // bf16 of many sizes
    const bytes = new Uint8Array(values.buffer);
    const name = `${shape[0]} × ${shape[1]}`;
    const quantized = (): ReturnType<typeof quantizeNf4> =>
      quantizeNf4(device, { shape, dtype: "bfloat16", doubleQuant: true, chunks: [bytes], label: "bench" });
    const times: number[] = [];
    const started = performance.now();
    while (times.length < repeats || performance.now() - started < context.warmUpMs) {
      signal?.throwIfAborted();
      const before = performance.now();
      (await quantized()).dispose();
      times.push(performance.now() - before);
    }
    const milliseconds = median(times.slice(-repeats));
    yield { name: `bf16 → NF4 ${name}`, milliseconds, gigabytesPerSecond: gigabytesOf(2 * numWeights, milliseconds) };
    using weight = await quantized();
    const dtype = device.capabilities.shaderF16 ? "f16" : "f32";
    const expandedMs = await medianMs(() => void weight.dequantize(dtype), context);
    const moved = numWeights * (0.5 + (dtype === "f16" ? 2 : 4));
    const speed = gigabytesOf(moved, expandedMs);
    yield {
      name: `NF4 → ${dtype} ${name}`,
      milliseconds: expandedMs,
      gigabytesPerSecond: speed,
      shareOfCopy: (1e9 * speed) / (await context.copySpeed()),
    };
  },
};
