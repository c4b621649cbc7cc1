import { isKtoError } from "@kto/core";
import { maxNewTokensOf, type ChatMessage, type GenerateOptions } from "@kto/generate";
import { RequestError } from "../errors.js";
import { unknownModel } from "../http/request-errors.js";
import { maxChoices, type ServedModel, type ServeOptions } from "../options.js";
import { missing, type RequestFields, unusable } from "./fields.js";
import { readMessages } from "./messages.js";
import { readPrompts } from "./prompts.js";
import { expectNothingRefused } from "./refused-fields.js";
import { readLength, readSampling } from "./sampling.js";

/** A request for text, checked: what is to be generated, and how the answer is to look. */
export interface GenerationRequest {
  model: ServedModel;
  /** What each choice is made with, in their order. */
  choices: readonly GenerateOptions[];
  /** Tokens of the prompts, each counted once. */
  promptTokens: number;
  stream: boolean;
  /** A chunk with the usage at the end of a stream. */
  includeUsage: boolean;
  /** Likeliest tokens beside each that was drawn; undefined where no log-probabilities are asked for. */
  logprobs: number | undefined;
}

/** Reads a request of `/v1/chat/completions`. Throws RequestError, also for what the template and the context do not take. */
export function readChatRequest(fields: RequestFields, options: ServeOptions): GenerationRequest {
  const model = readModel(fields, options.models);
  expectNothingRefused(fields);
  const messages = readMessages(fields.given("messages"));
  const asksForLogprobs = fields.flag("logprobs") ?? false;
  const top = fields.integer("top_logprobs", 0, 20);
  if (top !== undefined && !asksForLogprobs) throw unusable("top_logprobs", "it with logprobs: true alone", top);
  const logprobs = asksForLogprobs ? (top ?? 0) : undefined;
  return readGeneration(fields, { options, model, logprobs, promptField: "messages", prompts: () => [renderChat(messages, options)] });
}

/** Reads a request of `/v1/completions`. Throws RequestError. */
export function readCompletionRequest(fields: RequestFields, options: ServeOptions): GenerationRequest {
  const model = readModel(fields, options.models);
  expectNothingRefused(fields);
  const logprobs = fields.integer("logprobs", 0, 5);
  const prompts = (): (readonly number[])[] => readPrompts(fields.given("prompt"), options.tokenizer, options.vocabSize);
  return readGeneration(fields, { options, model, logprobs, promptField: "prompt", prompts });
}

function readModel(fields: RequestFields, models: readonly ServedModel[]): ServedModel {
  const id = fields.text("model");
  const ids = models.map((model) => model.id);
  if (id === undefined) throw missing("model", `one of ${ids.join(", ")}`);
  const found = models.find((model) => model.id === id);
  if (!found) throw unknownModel(id, ids);
  return found;
}

/** What both kinds of request have in common. Prompts are turned into ids last, when all else is known to be right. */
function readGeneration(
  fields: RequestFields,
  parts: {
    options: ServeOptions;
    model: ServedModel;
    logprobs: number | undefined;
    promptField: string;
    prompts: () => readonly (readonly number[])[];
  },
): GenerationRequest {
  const { options, model, logprobs, promptField } = parts;
  const n = fields.integer("n", 1, maxChoices) ?? 1;
  const stream = fields.flag("stream") ?? false;
  const streamOptions = fields.object("stream_options");
  if (!stream && fields.given("stream_options") !== undefined)
    throw unusable("stream_options", "it with stream: true alone", fields.given("stream_options"));
  const includeUsage = streamOptions.flag("include_usage") ?? false;
  const sampling = readSampling(fields, options);
  const { defaults = {}, generationConfig = {} } = options;
  const maxNewTokens = readLength(fields) ?? maxNewTokensOf(defaults.maxNewTokens, generationConfig);
  const prompts = parts.prompts();
  if (prompts.length * n > maxChoices)
    throw unusable(promptField, `at most ${maxChoices} choices of all prompts together`, prompts.length * n);
  const choices = prompts.flatMap((inputIds, prompt): GenerateOptions[] => {
    const room = roomFor(inputIds, options.contextSize, prompts.length > 1 ? `${promptField}[${prompt}]` : promptField);
    const length = Math.min(maxNewTokens ?? room, room);
    return Array.from({ length: n }, (_, index) => ({
      ...sampling,
      inputIds,
      seed: sampling.seed === undefined ? undefined : sampling.seed + index,
      maxNewTokens: length,
      eosTokenId: defaults.eosTokenId,
      adapter: model.adapter,
      ...(logprobs !== undefined && { logprobs }),
    }));
  });
  return { model, choices, promptTokens: prompts.reduce((sum, ids) => sum + ids.length, 0), stream, includeUsage, logprobs };
}

/** Tokens that an answer has room for. Throws RequestError for a prompt that leaves none, or is none. */
function roomFor(inputIds: readonly number[], contextSize: number, param: string): number {
  if (inputIds.length === 0)
    throw new RequestError({ operation: param, problem: "the prompt is empty", expected: "at least one token", got: "none" }, { param });
  if (inputIds.length < contextSize) return contextSize - inputIds.length;
  throw new RequestError(
    {
      operation: param,
      problem: "the prompt fills the context",
      expected: `at most ${contextSize - 1} tokens`,
      got: String(inputIds.length),
      advice: "shorten it",
    },
    { param, reason: "context_length_exceeded" },
  );
}

function renderChat(messages: readonly ChatMessage[], { tokenizer, defaults = {} }: ServeOptions): readonly number[] {
  const { chatTemplate } = defaults;
  try {
    return tokenizer.applyChatTemplate([...messages], {
      addGenerationPrompt: true,
      tokenize: true,
      ...(chatTemplate !== undefined && { chatTemplate }),
    });
  } catch (error) {
    if (!isKtoError(error)) throw error;
    throw new RequestError(error.message, { param: "messages", cause: error }); // such as a template that wants users and assistants to alternate
  }
}
