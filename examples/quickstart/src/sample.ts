import { gatherRows, type Tensor } from "@kto/tensor";
import type { DecoderForCausalLM } from "@kto/qwen2";
import type { Tokenizer } from "@kto/tokenizer";
import { uniform } from "./seeded.js";
import { questionMessages, type Sum } from "./sums.js";

/** How answers are drawn. */
export interface SampleOptions {
  /** The same seed draws the same answers. */
  seed: number;
  /** 1 draws from the model's own probabilities. */
  temperature?: number;
  /** An answer is a number and the end token; a model that rambles is stopped here. */
  maxNewTokens?: number;
  /** Number of the first question, where a batch is part of a longer list. */
  firstIndex?: number;
  /** Stops between two tokens; the promise then rejects with `signal.reason`. */
  signal?: AbortSignal | undefined;
}

/** One sampled answer to each question. All prefixes are run again for every token: simple, and quick enough for answers of two tokens. */
export async function sampleAnswers(
  model: DecoderForCausalLM,
  tokenizer: Tokenizer,
  sums: readonly Sum[],
  { seed, temperature = 1, maxNewTokens = 4, firstIndex = 0, signal }: SampleOptions,
): Promise<string[]> {
  const prompts = sums.map((sum) => tokenizer.applyChatTemplate(questionMessages(sum), { addGenerationPrompt: true }));
  const answers: number[][] = sums.map(() => []);
  let open = sums.map((_, index) => index);
  for (let step = 0; step < maxNewTokens && open.length > 0; step++) {
    signal?.throwIfAborted();
    const logits = await lastLogits(
      model,
      open.map((index) => [...prompts[index]!, ...answers[index]!]),
    );
    open = open.filter((index, row) => {
      const id = draw(
        logits.subarray(row * model.vocabSize, (row + 1) * model.vocabSize),
        temperature,
        uniform(seed, firstIndex + index, step),
      );
      if (tokenizer.eosTokenIds.includes(id)) return false;
      answers[index]!.push(id);
      return true;
    });
  }
  return answers.map((ids) => tokenizer.decode(ids));
}

/** Logits after the last token of each row, [numRows, vocabSize]. */
async function lastLogits(model: DecoderForCausalLM, rows: readonly number[][]): Promise<Float32Array> {
  const { device } = model;
  let end = 0;
  const lastTokens = rows.map((row) => (end += row.length) - 1);
  using logits = device.scope("lastLogits", (): Tensor =>
    device.noGrad(() => {
      const hidden = model.hiddenStates(model.packRows(rows)); // [numTokens, hiddenSize]
      return model.logits(gatherRows(hidden, device.tensor(lastTokens, [rows.length], "u32"))); // [numRows, vocabSize]
    }),
  );
  return (await logits.read()) as Float32Array;
}

/** The id at `luck` (in [0, 1)) of the cumulated softmax(logits / temperature). */
function draw(logits: Float32Array, temperature: number, luck: number): number {
  const highest = logits.reduce((a, b) => Math.max(a, b));
  const weights = Array.from(logits, (logit) => Math.exp((logit - highest) / temperature));
  let rest = luck * weights.reduce((total, weight) => total + weight, 0);
  const id = weights.findIndex((weight) => (rest -= weight) < 0);
  return id === -1 ? weights.length - 1 : id;
}
