import type { ChatMessage, GenerateOptions, Generation, GenerationPiece, GenerationResult, GenerationTokenizer } from "@kto/generate";
import { ArgumentError } from "@kto/core";
import type { ServeOptions } from "../options.js";

/** The end of an answer. */
const endId = 1;

/** A tokenizer of letters: each is the token of its code, and a chat is its messages after one another. */
export const letters: GenerationTokenizer = {
  encode: (text) => [...text].map((letter) => letter.codePointAt(0)!),
  decode: (ids, { skipSpecialTokens } = {}) =>
    ids.map((id) => (id === endId ? (skipSpecialTokens ? "" : "<end>") : String.fromCodePoint(id))).join(""),
  applyChatTemplate: (messages: ChatMessage[]) => {
    if (messages.some(({ content }) => content === "refuse")) throw new ArgumentError("template: conversation roles must alternate");
    return letters.encode(messages.map(({ role, content }) => `<${role}>${content as string}`).join(""));
  },
  eosTokenIds: [endId],
};

/** A generator whose answers are known beforehand, and which counts what is under way. */
export class EchoGenerator {
  /** Milliseconds before each token. */
  tokenMs = 0;
  /** Throws this in the middle of an answer. */
  failure: Error | undefined;
  numRunning = 0;
  mostRunning = 0;
  numAborted = 0;
  /** What it was asked, in order. */
  readonly asked: GenerateOptions[] = [];

  /** The answer: the prompt backwards, over again up to `maxNewTokens`; one that has a `!` ends at the end of the prompt. */
  answerTo(prompt: string, maxNewTokens: number): { ids: number[]; finishReason: "stop" | "length" } {
    const backwards = letters.encode([...prompt].reverse().join(""));
    if (prompt.includes("!") && backwards.length < maxNewTokens) return { ids: [...backwards, endId], finishReason: "stop" };
    return { ids: Array.from({ length: maxNewTokens }, (_, index) => backwards[index % backwards.length]!), finishReason: "length" };
  }

  generate(options: GenerateOptions): Generation {
    this.asked.push(options);
    const prompt = letters.decode([...options.inputIds!]);
    const { ids, finishReason } = this.answerTo(prompt, options.maxNewTokens!);
    const pieces: GenerationPiece[] = [];
    let isDone = false;
    const result = this.#make(options, ids, pieces).then((): GenerationResult => {
      const logprobs = options.logprobs === undefined ? undefined : pieces.flatMap((piece) => piece.logprobs!);
      const text = pieces.map((piece) => piece.text).join("");
      const counts = {
        promptTokens: options.inputIds!.length,
        newTokens: ids.length,
        cachedTokens: 0,
        tokensPerSecond: 1,
        firstTokenMs: 1,
      };
      return { text, ids, ...counts, finishReason, seed: options.seed ?? 0, ...(logprobs && { logprobs }) };
    });
    result.then(
      () => (isDone = true),
      () => (isDone = true),
    );
    return {
      result,
      async *[Symbol.asyncIterator]() {
        for (let next = 0; ;) {
          while (next < pieces.length) yield pieces[next++]!;
          if (isDone) {
            await result;
            if (next === pieces.length) return;
          } else await new Promise((resolve) => setTimeout(resolve));
        }
      },
    };
  }

  async #make({ signal, logprobs }: GenerateOptions, ids: readonly number[], pieces: GenerationPiece[]): Promise<void> {
    this.mostRunning = Math.max(this.mostRunning, ++this.numRunning);
    try {
      for (const [index, id] of ids.entries()) {
        await new Promise((resolve) => (this.tokenMs > 0 ? setTimeout(resolve, this.tokenMs) : setImmediate(resolve)));
        signal?.throwIfAborted();
        if (this.failure !== undefined && index === 2) throw this.failure;
        const likeliest = Array.from({ length: logprobs ?? 0 }, (_, place) => ({
          id: place === 0 ? id : 96 + place,
          logprob: -0.5 - place,
        }));
        const entry = { id, logprob: -0.5, top: likeliest };
        pieces.push({
          text: letters.decode([id], { skipSpecialTokens: true }),
          ids: [id],
          ...(logprobs !== undefined && { logprobs: [entry] }),
        });
      }
    } catch (error) {
      this.numAborted++;
      throw error;
    } finally {
      this.numRunning--;
    }
  }
}

/** What a server of an {@link EchoGenerator} is made with: the base `letters`, and an adapter on it. */
export function letterOptions(generator: EchoGenerator): ServeOptions {
  return {
    generator,
    tokenizer: letters,
    vocabSize: 1000,
    contextSize: 100,
    models: [
      { id: "letters", adapter: null },
      { id: "tuned", adapter: "tuned" },
    ],
  };
}
