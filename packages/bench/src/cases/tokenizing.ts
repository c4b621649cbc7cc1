import { loadTokenizer } from "@kto/tokenizer";
import type { BenchCase } from "../measurement.js";
import { median } from "../timing.js";

const repeats = 5;

/** Sentences of prose and of code, in several alphabets. */
const texts = [
  "The quick brown fox jumps over the lazy dog, and nobody in the village had ever seen it do that before; they talked about it for weeks.",
  "function mean(values) {\n  return values.reduce((sum, value) => sum + value, 0) / values.length;\n}\n",
  "Съешь же ещё этих мягких французских булок, да выпей чаю. 敏捷的棕色狐狸跳过了懒狗。いろはにほへと ちりぬるを",
  "In 1998, 3.14159 % of 2,718 respondents answered “neither”; see table 4 (p. 27) and https://example.org/a/b?c=d&e=f for the rest.",
];

/** A model's tokenizer: opening it, and text to ids. */
export const tokenizingCase: BenchCase = {
  name: "tokenizing",
  about: "a model's tokenizer: opening it, and text to ids (--model)",
  needs: { model: true },
  async *run({ model: directory, size, signal }) {
    const opening: number[] = [];
    for (let run = 0; run < repeats; run++) {
      const started = performance.now();
      await loadTokenizer(directory!);
      opening.push(performance.now() - started);
      signal?.throwIfAborted();
    }
    yield { name: "opening", milliseconds: median(opening), facts: { firstMilliseconds: opening[0]! } };
    const tokenizer = await loadTokenizer(directory!);
    const numTexts = size.shape === "tiny" ? 100 : 1000;
    const times: number[] = [];
    let numTokens = 0;
    for (let run = 0; run < repeats; run++) {
      signal?.throwIfAborted();
      numTokens = 0;
      const started = performance.now();
      for (let text = 0; text < numTexts; text++) numTokens += tokenizer.encode(`${text} ${texts[text % texts.length]!}`).length;
      times.push(performance.now() - started);
    }
    const milliseconds = median(times);
    yield { name: `${numTexts} texts`, milliseconds, tokensPerSecond: (1000 * numTokens) / milliseconds, facts: { tokens: numTokens } };
  },
};
