import { excerpt } from "@kto/core";
import { PythonError, valueError } from "./jinja/python-error.js";
import { represent } from "./jinja/printing.js";
import { strip } from "./jinja/text.js";
import { fromJs, type Value } from "./jinja/values.js";

/** A message as a template sees it. */
export type Message = Map<Value, Value>;

/** Names under which data holds the reasoning of a message; the first is the one that templates read. */
const REASONING_FIELDS = ["reasoning_content", "thinking", "reasoning"] as const;

/** Reasoning that a template found although the data calls it otherwise. */
export interface CopiedReasoning {
  /** The field of the data. */
  from: string;
  /** The fields of the template. */
  to: string[];
}

/** What became of a conversation before its template saw it. */
export interface Conversation {
  messages: Message[];
  copiedReasoning: CopiedReasoning | null;
}

/**
 * The messages of a conversation as transformers 5 gives them to a template: without keys whose value is null (unless those are kept), and with their
 * reasoning under every name that templates read. Throws Python's TypeError for a message that is no object.
 */
export function prepareConversation(messages: readonly unknown[], template: string, keepNulls: boolean): Conversation {
  let copiedReasoning: CopiedReasoning | null = null;
  const prepared = messages.map((given) => {
    const message = messageOf(given, keepNulls);
    const from = REASONING_FIELDS.find((field) => !isMissing(message.get(field)));
    if (from === undefined) return message;
    if (copiedReasoning === null) {
      const to = REASONING_FIELDS.slice(0, 2).filter((field) => isMissing(message.get(field)) && template.includes(field));
      if (to.length > 0) copiedReasoning = { from, to };
    }
    return withReasoning(message, message.get(from)!);
  });
  return { messages: prepared, copiedReasoning };
}

function isMissing(value: Value | undefined): boolean {
  return value === undefined || value === null;
}

function messageOf(given: unknown, keepNulls: boolean): Message {
  const message = typeof given === "object" && given !== null ? fromJs(given, 1) : null;
  if (!(message instanceof Map)) throw new PythonError("TypeError", `Chat messages should be dicts, but got ${excerpt(given)}.`);
  if (!keepNulls) for (const [key, value] of message) if (value === null) message.delete(key);
  return message;
}

/** As `{"thinking": reasoning, **message, "reasoning_content": reasoning}` in Python, the order of keys included. */
function withReasoning(message: Message, reasoning: Value): Message {
  const filled: Message = new Map([["thinking", reasoning]]);
  for (const [key, value] of message) filled.set(key, value);
  return filled.set("reasoning_content", reasoning);
}

/** Marks where the final message's content ends; the trailing space shows whether the template trims content. */
const END_MARK = "CONTINUE_FINAL_MESSAGE_TAG ";

/** Puts the mark behind the text of the last message that is to be continued; returns that text. */
export function markFinalMessage(template: string, messages: readonly Message[], field: string): string {
  const last = messages.at(-1)!;
  const content = last.get(field);
  if (content === undefined || content === null) {
    throw valueError(`continue_final_message is set but the final message has no "${field}" to continue!`);
  }
  const isReasoning = (REASONING_FIELDS as readonly string[]).includes(field);
  const fields = isReasoning ? REASONING_FIELDS.filter((name) => last.get(name) === content) : [field];
  if (!fields.some((name) => template.includes(name))) {
    throw valueError(`continue_final_message is set to "${field}" but this is not an accepted field in the chat_template`);
  }
  if (typeof content === "string") {
    for (const name of fields) last.set(name, content + END_MARK);
    return content;
  }
  const part = Array.isArray(content) ? content.findLast((item) => item instanceof Map && typeof item.get("text") === "string") : undefined;
  if (!(part instanceof Map))
    throw valueError("continue_final_message is set but we could not find any text to continue in the final message!");
  const text = part.get("text") as string;
  part.set("text", text + END_MARK);
  return text;
}

/** A rendering cut at the mark. Throws Python's ValueError where the template shows neither mark nor message. */
export function cutAtMark(rendered: string, final: string): string {
  const at = rendered.lastIndexOf(strip(END_MARK));
  if (at === -1 || !rendered.includes(strip(final))) {
    throw valueError(
      `continue_final_message is set but the final message does not appear in the chat after applying the chat template! The template may delete parts of it. Final message to continue: ${represent(strip(final).slice(0, 200))}`,
    );
  }
  return rendered.startsWith(END_MARK, at) ? rendered.slice(0, at) : strip(rendered.slice(0, at), null, "right");
}
