import { excerpt } from "@kto/core";
import type { CausalLM } from "@kto/tensor";
import { answer } from "./answer.js";
import { answerEnd } from "./answer-end.js";
import { GenerationEngine, type EngineOptions } from "./engine/engine.js";
import { GenerationError } from "./errors.js";
import type { ChatMessage, GenerateOptions, Generation, GenerationModel, GenerationTokenizer } from "./generation.js";
import { expectLogprobs, maxNewTokensOf, samplingSettings, type GenerationDefaults } from "./sampling-options.js";

/**
 * Answers prompts with a model, several at once if asked to, and keeps what the cache holds of the last, so that a conversation goes on without computing its
 * beginning again. Owns the cache, not the model; dispose it.
 */
export class TextGenerator implements Disposable {
  readonly #model: GenerationModel;
  readonly #base: CausalLM;
  readonly #tokenizer: GenerationTokenizer | undefined;
  readonly #defaults: GenerationDefaults;
  readonly #engine: GenerationEngine;

  constructor(model: GenerationModel, options: Omit<EngineOptions, "withAdapters"> = {}) {
    this.#model = model;
    const base = "base" in model ? model.base : model;
    this.#base = base;
    this.#tokenizer = model.tokenizer ?? base.tokenizer;
    this.#defaults = model.generationConfig ?? base.generationConfig ?? {};
    this.#engine = new GenerationEngine(this.#base, {
      ...options,
      ...("base" in model && { withAdapters: (names, body) => model.withAdapters(names, body) }),
    });
  }

  /** Answers that are under way or wait. */
  get numRows(): number {
    return this.#engine.numRows;
  }

  /** Bytes of the cache on the device. */
  get cacheBytes(): number {
    return this.#engine.cacheBytes;
  }

  /**
   * Starts an answer.
   *
   * @throws GenerationError for settings out of range, no or an empty prompt, one that fills the context, an adapter that there is not; what the template throws
   */
  generate(options: GenerateOptions): Generation {
    const { tokenizer = this.#tokenizer } = options;
    const promptIds = this.#promptIds(options);
    const { sampling, seed } = samplingSettings(options, this.#defaults, this.#base.vocabSize);
    const room = this.#base.maxPositionEmbeddings - promptIds.length;
    if (room < 1)
      throw new GenerationError({
        operation: "generate",
        problem: "the prompt fills the context",
        expected: `at most ${this.#base.maxPositionEmbeddings - 1} tokens`,
        got: String(promptIds.length),
        advice: "shorten it",
      });
    const maxNewTokens = maxNewTokensOf(options.maxNewTokens, this.#defaults) ?? room;
    expectLogprobs(options.logprobs);
    const { eosTokenIds, stops } = answerEnd(options, this.#defaults, tokenizer);
    const row = this.#engine.start({
      promptIds,
      maxNewTokens: Math.min(maxNewTokens, room),
      sampling,
      eosTokenIds,
      logprobs: options.logprobs,
      adapters: this.#adapters(options.adapter),
    });
    return answer(row, { stops, seed, tokenizer, skipSpecialTokens: options.skipSpecialTokens, signal: options.signal });
  }

  dispose(): void {
    this.#engine.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #promptIds(options: GenerateOptions): readonly number[] {
    const { messages, prompt, inputIds } = options;
    const given = Object.entries({ messages, prompt, inputIds }).filter(([, value]) => value !== undefined);
    if (given.length !== 1)
      throw new GenerationError({
        operation: "generate",
        problem: given.length === 0 ? "there is nothing to answer" : "the prompt is given more than once",
        expected: "one of {messages}, {prompt} and {inputIds}",
        got: given.map(([name]) => `{${name}}`).join(" and ") || "none",
        fields: ["messages", "prompt", "inputIds"],
      });
    const ids = inputIds ?? this.#encode(options);
    const { vocabSize } = this.#base;
    const wrong = ids.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
    if (ids.length > 0 && wrong === undefined) return ids;
    throw new GenerationError({
      operation: "generate",
      problem: ids.length === 0 ? "the prompt is empty" : "the prompt has an id that is no token",
      expected: ids.length === 0 ? "at least one token" : `ids from 0 to ${vocabSize - 1}`,
      got: ids.length === 0 ? "none" : excerpt(wrong),
    });
  }

  #encode({ messages, prompt, chatTemplate, tools, templateVariables, tokenizer = this.#tokenizer }: GenerateOptions): number[] {
    if (!tokenizer)
      throw new GenerationError({
        operation: "generate",
        problem: "the model has no tokenizer",
        expected: "{inputIds}, or a model with tokenizer.json beside it",
        got: messages ? "{messages}" : "{prompt}",
        fields: ["inputIds", "messages", "prompt"],
      });
    if (!messages) return tokenizer.encode(prompt!);
    return tokenizer.applyChatTemplate([...messages] as ChatMessage[], {
      addGenerationPrompt: true,
      tokenize: true,
      ...(chatTemplate !== undefined && { chatTemplate }),
      ...(tools && { tools }),
      ...(templateVariables && { variables: templateVariables }),
    });
  }

  #adapters(asked: GenerateOptions["adapter"]): readonly string[] | undefined {
    const model = this.#model;
    const known = "base" in model ? [...model.adapters.keys()] : [];
    if (asked === undefined) return "base" in model ? [...model.activeAdapters] : undefined;
    const names = asked === null ? [] : [asked].flat();
    const unknown = names.find((name) => !known.includes(name));
    if (unknown === undefined) return "base" in model ? names : undefined;
    throw new GenerationError(
      {
        operation: "generate",
        problem: `there is no adapter ${excerpt(unknown)}`,
        expected: known.length > 0 ? `one of ${known.join(", ")}` : "none, since the model has none",
        fields: ["adapter"],
      },
      { option: "adapter" },
    );
  }
}
