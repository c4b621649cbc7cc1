import { excerpt } from "@kto/core";
import { type CopiedReasoning, cutAtMark, markFinalMessage, prepareConversation } from "./conversation.js";
import { TemplateError } from "./errors.js";
import { DEFAULT_LIMITS, type RenderLimits } from "./jinja/budget.js";
import { PythonError, valueError } from "./jinja/python-error.js";
import { Template } from "./jinja/template.js";
import { fromJs, type Value } from "./jinja/values.js";

/** One message of a conversation, as datasets and APIs write it: `role`, `content` (text or parts), and whatever the template reads. */
export interface ChatMessage {
  role: string;
  content?: unknown;
  [key: string]: unknown;
}

/** What a template is rendered with, besides the messages. Names in templates are in brackets. */
export interface RenderOptions {
  /** End with the words that open the model's turn [`add_generation_prompt`]; default false. */
  addGenerationPrompt?: boolean;
  /** Cut the text after the last message's content, so that the model goes on with it; a string names another field than `content`. */
  continueFinalMessage?: boolean | string;
  /** JSON schemas of the functions the model may call [`tools`]. */
  tools?: readonly object[] | null;
  /** Documents for retrieval [`documents`]. */
  documents?: readonly object[] | null;
  /** Texts of the special tokens under their names in `tokenizer_config.json`: `bos_token`, `eos_token`, … */
  specialTokens?: Readonly<Record<string, string | undefined>>;
  /** Any further variables (`chat_template_kwargs`), such as `enable_thinking`. */
  variables?: Readonly<Record<string, unknown>>;
  /** Keep keys whose value is null in the messages, as transformers 4 did; version 5 removes them, and so do we by default. */
  keepNulls?: boolean;
  /** What the rendering may take; default {@link DEFAULT_LIMITS}. Whatever takes more is a `TemplateError`. */
  limits?: Partial<RenderLimits>;
  /** The clock of `strftime_now`; default the time of the call. */
  now?: () => Date;
}

/** A rendered conversation; `generations` are the stretches inside `{% generation %}` blocks, in UTF-16 units of `text`. */
export interface RenderedChat {
  text: string;
  generations: { start: number; end: number }[];
  /**
   * Where the template reads the reasoning of messages under another name than the data has it: transformers 5 takes `reasoning_content`, `thinking` and
   * `reasoning` for one field, and so do we. Null where no message has any, or the template reads none.
   */
  copiedReasoning: CopiedReasoning | null;
}

/** Compiled templates kept; one run rarely uses more than two or three. */
const MAX_COMPILED = 64;
const compiled = new Map<string, Template>();

/**
 * The text of a conversation under a chat template, exactly as `apply_chat_template(…, tokenize=False)` of transformers 5 renders it.
 *
 * Throws `TemplateError`: `errorType` is `TemplateError` for the template's own `raise_exception`, else the Python class that
 * transformers would raise (`ValueError` for an empty conversation, `UndefinedError`, `TemplateSyntaxError`, …).
 */
export function renderChatTemplate(template: string, messages: readonly ChatMessage[], options: RenderOptions = {}): string {
  return renderChat(template, messages, options).text;
}

/** As `renderChatTemplate`, with the stretches of text that belong to `{% generation %}` blocks. */
export function renderChat(template: string, messages: readonly ChatMessage[], options: RenderOptions = {}): RenderedChat {
  return typed("renderChatTemplate", () => render(template, messages, options));
}

/** Compiles a template and throws what is wrong with it as a `TemplateError`; for checking one before it is used. */
export function checkChatTemplate(template: string): void {
  typed("checkChatTemplate", () => compile(template));
}

/** What `run` gives; what Python would raise in it becomes a `TemplateError`. */
function typed<Value>(operation: string, run: () => Value): Value {
  try {
    return run();
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    const { type: errorType, message: reason, line } = error;
    throw new TemplateError(operation, { errorType, reason, line, cause: error });
  }
}

/** True where a template marks the assistant's text with `{% generation %}`, so that masks can be made from it. */
export function hasGenerationBlocks(template: string): boolean {
  return /\{%[-+]?\s*generation\s*[-+]?%\}/.test(template);
}

function render(template: string, messages: readonly ChatMessage[], options: RenderOptions): RenderedChat {
  const { addGenerationPrompt = false, continueFinalMessage = false, tools = null, documents = null } = options;
  if (!Array.isArray(messages)) throw new PythonError("TypeError", `Chat messages should be a list, but got ${excerpt(messages)}.`);
  if (messages.length === 0) throw valueError("Cannot apply chat template to an empty conversation. Provide at least one message.");
  if (addGenerationPrompt && continueFinalMessage !== false) {
    throw valueError(
      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message to go on with the final message, add_generation_prompt to open a new one.",
    );
  }
  const conversation = prepareConversation(messages, template, options.keepNulls ?? false);
  const field = continueFinalMessage === true ? "content" : continueFinalMessage;
  const final = field === false ? null : markFinalMessage(template, conversation.messages, field);
  const variables = new Map<string, Value>();
  for (const given of [options.specialTokens, options.variables]) {
    for (const name in given) if (given[name] !== undefined) variables.set(name, fromJs(given[name]));
  }
  variables.set("messages", conversation.messages);
  variables.set("tools", listOf(tools, "Tools should be a list of JSON schemas"));
  variables.set("documents", listOf(documents, "Documents should be a list of dicts with 'title' and 'text' keys!"));
  variables.set("add_generation_prompt", addGenerationPrompt);
  const now = options.now ?? ((): Date => new Date());
  const { text, generations } = compile(template).render(variables, now, { ...DEFAULT_LIMITS, ...options.limits });
  const { copiedReasoning } = conversation;
  if (final === null) return { text, generations, copiedReasoning };
  const cut = cutAtMark(text, final);
  const kept = generations.filter(({ start }) => start < cut.length).map(({ start, end }) => ({ start, end: Math.min(end, cut.length) }));
  return { text: cut, generations: kept, copiedReasoning };
}

/** Tools or documents as a template sees them. Throws Python's TypeError for what is no list of objects. */
function listOf(given: readonly object[] | null, expected: string): Value {
  if (given === null) return null;
  const items = fromJs(given);
  if (!Array.isArray(items) || !items.every((item) => item instanceof Map)) throw new PythonError("TypeError", expected);
  return items;
}

function compile(template: string): Template {
  const known = compiled.get(template);
  if (known) return known;
  const fresh = new Template(template);
  if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value!);
  compiled.set(template, fresh);
  return fresh;
}
