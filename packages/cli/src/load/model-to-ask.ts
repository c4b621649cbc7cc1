import { findChatTemplate } from "@kto/chat-templates";
import type { Values } from "@kto/core/config";
import { answerEnd, samplingSettings, type ChatMessage, type GenerateOptions } from "@kto/generate";
import type { ModelFiles } from "@kto/kit";
import { getChatTemplate, type Tokenizer } from "@kto/tokenizer";
import type { askingFields } from "../config/asking-fields.js";
import { samplingOptions } from "../config/sampling-fields.js";
import { ConfigError } from "../errors.js";
import type { Console } from "../render/console.js";
import { answerRoom, type AnswerRoom } from "./answer-room.js";
import { readChatTemplate } from "./chat-template.js";
import type { HubAccess } from "./hub-access.js";
import { findModel } from "./inputs.js";

/** A model as a command asks it, looked at before a device is opened. */
export interface ModelToAsk {
  /** The tokenizer is that with the template that was asked for. */
  files: ModelFiles;
  /** How tokens are drawn and where an answer ends. */
  sampling: GenerateOptions;
  room: AnswerRoom;
}

/** Finds and fetches a model that is asked, with its template. Throws as `findModel`, TemplateError, GenerationError for settings out of range, wherever they stand. */
export async function openModelToAsk(values: Values<typeof askingFields>, access: HubAccess, console: Console): Promise<ModelToAsk> {
  const chatTemplate = await readChatTemplate(values.chatTemplate);
  const found = await findModel(values.model, access, console, { prefer4bitCheckpoint: values.prefer4bitCheckpoint });
  const tokenizer = found.tokenizer && withTemplate(found.tokenizer, values.chatTemplate, chatTemplate);
  const sampling = samplingOptions(values);
  samplingSettings(sampling, found.generationConfig); // these two for what they throw
  answerEnd(sampling, found.generationConfig ?? {}, tokenizer);
  return { files: { ...found, tokenizer }, sampling, room: answerRoom(values, found) };
}

/** Answers also end where a template that is known by its name ends them. */
function withTemplate(tokenizer: Tokenizer, given: string | null, template: string | undefined): Tokenizer {
  if (given === null || template === undefined) return tokenizer;
  return findChatTemplate(given) ? getChatTemplate(tokenizer, given) : tokenizer.withChatTemplate(template);
}

/** The tokenizer of a model that is asked in words. Throws ConfigError where there is none. */
export function expectTokenizer({ name, tokenizer }: ModelFiles): Tokenizer {
  if (tokenizer) return tokenizer;
  throw new ConfigError([
    `model: ${name} has no tokenizer; expected tokenizer.json beside it, got none; copy it there, or give data with prompt_ids`,
  ]);
}

/** A conversation as ids, with the opening of an answer. Throws what the template throws. */
export function renderConversation(tokenizer: Tokenizer, messages: readonly ChatMessage[]): number[] {
  return tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true });
}

/** Says that conversations are rendered in a way that the model was not trained with. */
export function noteStandIn(tokenizer: Tokenizer, console: Console): void {
  if (tokenizer.templateFor().source === "stand-in")
    console.note(
      "the model has no chat template: conversations are rendered with one that stands in for it; give its own with --chat_template",
    );
}
