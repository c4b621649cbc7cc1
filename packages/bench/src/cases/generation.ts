import { GenerationEngine } from "@kto/generate";
import type { BenchCase } from "../measurement.js";
import { randomFourBitModel, randomModel } from "../random-model.js";
import { median } from "../timing.js";

/** The likeliest token each time; nothing ends an answer. */
const greedy = { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2] as [number, number] };

/** Answers of a model in four bits: time to the first token, tokens a second. */
export const generationCase: BenchCase = {
  name: "generation",
  about: "answers of a four-bit model: time to the first token, tokens a second",
  needs: { device: true },
  async *run({ device, size, signal }) {
    using model = device.capabilities.shaderF16 ? await randomFourBitModel(device, size.config) : randomModel(device, size.config, "f32");
    const { rows, promptTokens, newTokens, answers } = size.generation;
    for (const count of rows) {
      using engine = new GenerationEngine(model, { maxRows: count, maxCachedTokens: count * (promptTokens + newTokens + 64) });
      const answer = async (): Promise<{ firstMs: number; restMs: number }> => {
        signal?.throwIfAborted();
        const started = performance.now();
        const first = await Promise.all(
          Array.from({ length: count }, async (_, row) => {
            const promptIds = Array.from(
              { length: promptTokens },
              (_token, position) => (row * 7919 + position * 104_729 + 17) % size.config.vocabSize,
            );
            const ids = engine.start({ promptIds, maxNewTokens: newTokens, eosTokenIds: [], sampling: greedy })[Symbol.asyncIterator]();
            let firstMs = 0;
            while (!(await ids.next()).done) firstMs ||= performance.now() - started;
            return firstMs;
          }),
        );
        const firstMs = Math.max(...first);
        return { firstMs, restMs: performance.now() - started - firstMs };
      };
      await answer(); // compiles
      const made: Awaited<ReturnType<typeof answer>>[] = [];
      for (let run = 0; run < answers; run++) made.push(await answer());
      const restMs = median(made.map((one) => one.restMs));
      const shape = `${count} ${count === 1 ? "row" : "rows"}, prompts of ${promptTokens}`;
      yield { name: `${shape}: first token`, milliseconds: median(made.map((one) => one.firstMs)) };
      yield { name: `${shape}: ${newTokens} tokens`, milliseconds: restMs, tokensPerSecond: (1000 * count * (newTokens - 1)) / restMs };
    }
  },
};
