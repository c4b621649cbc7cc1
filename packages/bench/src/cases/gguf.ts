import { openQuantizer, QUANTIZED_TYPES } from "@kto/gguf-export";
import type { BenchCase } from "../measurement.js";
import { gigabytesOf } from "../numbers.js";
import { median } from "../timing.js";

const rowSize = 2048;
const repeats = 5;

/** Weights to each type of GGUF, on one thread of the processor. */
export const ggufCase: BenchCase = {
  name: "gguf",
  about: "weights to each type of GGUF, on one thread of the processor",
  needs: {},
  async *run({ size, signal }) {
    const numWeights = size.ggufWeights;
    const weights = Float32Array.from({ length: numWeights }, (_, index) => Math.sin(index * 12.9898) / 20);
    using quantizer = await openQuantizer({ threads: 0 });
    for (const type of QUANTIZED_TYPES) {
      const times: number[] = [];
      for (let run = 0; run < repeats; run++) {
        signal?.throwIfAborted();
        const started = performance.now();
        await quantizer.quantize(type, weights, { rowSize });
        times.push(performance.now() - started);
      }
      const milliseconds = median(times);
      yield {
        name: `${type}, ${numWeights} weights`,
        milliseconds,
        gigabytesPerSecond: gigabytesOf(weights.byteLength, milliseconds),
        facts: { millisecondsAMillion: (milliseconds * 1e6) / numWeights },
      };
    }
  },
};
