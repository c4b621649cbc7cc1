import { TemplateError } from "./errors.js";
import { PythonError } from "./jinja/python-error.js";
import { Template } from "./jinja/template.js";
import { strip } from "./jinja/text.js";

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
  /** The clock of `strftime_now`; default the time of the call. */
  now?: () => Date;
}

/** A rendered conversation; `generations` are the stretches inside `{% generation %}` blocks, in UTF-16 units of `text`. */
export interface RenderedChat {
  text: string;
  generations: { start: number; end: number }[];
}

/** Compiled templates kept; one run rarely uses more than two or three. */
const MAX_COMPILED = 64;
const compiled = new Map<string, Template>();
/** Marks where the final message's content ends; the trailing space shows whether the template trims content. */
const END_MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

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
  try {
    return render(template, messages, options);
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    const { type: errorType, message: reason, line } = error;
    throw new TemplateError("renderChatTemplate", { errorType, reason, line, cause: error });
  }
}

/** Compiles a template and throws what is wrong with it as a `TemplateError`; for checking one before it is used. */
export function checkChatTemplate(template: string): void {
  try {
    compile(template);
  } catch (error) {
    if (!(error instanceof PythonError)) throw error;
    throw new TemplateError("checkChatTemplate", { errorType: error.type, reason: error.message, line: error.line, cause: error });
  }
}

/** True where a template marks the assistant's text with `{% generation %}`, so that masks can be made from it. */
export function hasGenerationBlocks(template: string): boolean {
  return /\{%[-+]?\s*generation\s*[-+]?%\}/.test(template);
}

function render(template: string, messages: readonly ChatMessage[], options: RenderOptions): RenderedChat {
  const { addGenerationPrompt = false, continueFinalMessage = false, tools = null, documents = null } = options;
  if (messages.length === 0) throw valueError("Cannot apply chat template to an empty conversation. Provide at least one message.");
  if (addGenerationPrompt && continueFinalMessage !== false) {
    throw valueError(
      "continue_final_message and add_generation_prompt are not compatible. Use continue_final_message to go on with the final message, add_generation_prompt to open a new one.",
    );
  }
  const conversation = options.keepNulls ? [...messages] : messages.map(withoutNulls);
  const field = continueFinalMessage === true ? "content" : continueFinalMessage;
  const final = field === false ? null : markFinalMessage(template, conversation, field);
  const { text, generations } = compile(template).render(
    {
      ...options.specialTokens,
      ...options.variables,
      messages: conversation,
      tools,
      documents,
      add_generation_prompt: addGenerationPrompt,
    },
    options.now ?? ((): Date => new Date()),
  );
  return final === null ? { text, generations } : cutAtMark(text, generations, final);
}

function compile(template: string): Template {
  const known = compiled.get(template);
  if (known) return known;
  const fresh = new Template(template);
  if (compiled.size >= MAX_COMPILED) compiled.delete(compiled.keys().next().value!);
  compiled.set(template, fresh);
  return fresh;
}

function withoutNulls(message: ChatMessage): ChatMessage {
  return Object.fromEntries(Object.entries(message).filter(([, value]) => value !== null)) as ChatMessage;
}

/** Puts the mark behind the text to continue, in a copy of the last message; returns that text. */
function markFinalMessage(template: string, conversation: ChatMessage[], field: string): string {
  const last = conversation.at(-1)!;
  const content = last[field];
  if (content === undefined || content === null) {
    throw valueError(`continue_final_message is set but the final message has no "${field}" to continue!`);
  }
  if (!template.includes(field)) {
    throw valueError(`continue_final_message is set to "${field}" but this is not an accepted field in the chat_template`);
  }
  if (typeof content === "string") {
    conversation[conversation.length - 1] = { ...last, [field]: content + END_MARK };
    return content;
  }
  const parts = Array.isArray(content) ? (content as { text?: unknown }[]) : [];
  const at = parts.findLastIndex((part) => typeof part?.text === "string");
  if (at === -1) throw valueError("continue_final_message is set but we could not find any text to continue in the final message!");
  const text = parts[at]!.text as string;
  conversation[conversation.length - 1] = { ...last, [field]: parts.with(at, { ...parts[at], text: text + END_MARK }) };
  return text;
}

function cutAtMark(rendered: string, generations: RenderedChat["generations"], final: string): RenderedChat {
  const at = rendered.lastIndexOf(strip(END_MARK));
  if (at === -1 || !rendered.includes(strip(final))) {
    throw valueError(
      `continue_final_message is set but the final message does not appear in the chat after applying the chat template! The template may delete parts of it. Final message to continue: ${strip(final)}`,
    );
  }
  const keepsSpace = rendered.startsWith(END_MARK, at);
  const text = keepsSpace ? rendered.slice(0, at) : strip(rendered.slice(0, at), null, "right");
  const kept = generations.filter(({ start }) => start < text.length).map(({ start, end }) => ({ start, end: Math.min(end, text.length) }));
  return { text, generations: kept };
}

function valueError(reason: string): PythonError {
  return new PythonError("ValueError", reason);
}
