import { loadCausalLM } from "@kto/qwen2";
import type { BenchCase } from "../measurement.js";
import { gigabytesOf } from "../numbers.js";
import { median } from "../timing.js";

const repeats = 3;

/** A model folder to the device. */
export const loadingCase: BenchCase = {
  name: "loading",
  about: "the weights of a model folder to the device (--model)",
  needs: { device: true, model: true },
  async *run({ device, model: directory, signal }) {
    const times: number[] = [];
    let [fileBytes, deviceBytes] = [0, 0];
    for (let run = 0; run < repeats; run++) {
      const started = performance.now();
      using model = await loadCausalLM(directory!, { device, signal, onProgress: ({ totalBytes }) => void (fileBytes = totalBytes) });
      await device.sync();
      times.push(performance.now() - started);
      deviceBytes = model.weightBytes;
    }
    await device.memory.trim();
    const milliseconds = median(times);
    yield {
      name: "weights",
      milliseconds,
      gigabytesPerSecond: gigabytesOf(fileBytes, milliseconds),
      facts: { firstMilliseconds: times[0]!, mebibytes: deviceBytes / 2 ** 20 },
    };
  },
};
