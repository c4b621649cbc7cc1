import { excerpt, shorten } from "@kto/core";
import type { DataNotes, DataRow } from "@kto/datasets";

import type { ChatMessage, RenderedConversation, Tokenizer } from "./tokenizer.js";

/** A row as it was tokenised, for what there is to say of it. */
export interface TokenizedRow {
  index: number;
  tokenizer: Tokenizer;
  /** Ids of the prompt, with the generation prompt. */
  shorter: readonly number[];
  /** Ids of prompt and completion, and how many of them the prompt shares. */
  longer: readonly number[];
  boundary: number;
  /** A row of conversations, and what its template was given. */
  conversation?: {
    prompt: readonly ChatMessage[];
    completion: readonly ChatMessage[];
    options: { chatTemplate?: string; tools?: object[]; variables?: DataRow };
  };
}

/** Notes what templates and special tokens do to a row that its author may not expect; one note of a kind. */
export function noteTokens(notes: DataNotes, row: TokenizedRow): void {
  noteRepeats(notes, row);
  const { conversation, tokenizer, index } = row;
  if (!conversation || !tokenizer.renderChat) return;
  const { prompt, completion, options } = conversation;
  const messages = [...prompt, ...completion];
  const render = (given: ChatMessage[]): RenderedConversation => tokenizer.renderChat!(given, { ...options, addGenerationPrompt: false });
  const whole = render(messages);
  noteChoice(notes, whole);
  if (whole.copiedReasoning) {
    const { from, to } = whole.copiedReasoning;
    notes.add(
      "reasoning field",
      `the data has the reasoning of messages as "${from}"; the template reads it as "${to.join('" and "')}", as in transformers`,
      index,
    );
  }
  noteCut(notes, row);
  noteLostReasoning(notes, completion, whole, index);
  const { text } = whole.template;
  noteUnreadFields(
    notes,
    messages,
    text,
    index,
    () => whole.text,
    (given) => render(given).text,
  );
  if (options.tools && options.tools.length > 0 && !mentions(text, "tools"))
    notes.add("tools not read", 'the chat template does not read "tools": they are not in the text that is trained on', index);
  for (const name of Object.keys(options.variables ?? {})) {
    if (!mentions(text, name))
      notes.add(
        `variable not read: ${name}`,
        `the chat template does not read ${excerpt(name)} of "chat_template_kwargs": it changes nothing`,
        index,
      );
  }
}

function noteChoice(notes: DataNotes, { template: { source, name, others } }: RenderedConversation): void {
  if (source === "stand-in") {
    notes.add(
      "stand-in template",
      'the model has no chat template: conversations are rendered with one that stands in for it ("<|user|>", a line break, the content, EOS), which is saved with the adapter; give the model\'s own with chat_template',
    );
  } else if (source === "model" && others.length > 0) {
    notes.add(
      `template ${name}`,
      `the model has ${others.length + 1} chat templates, and "${name}" is taken, not ${others.map((other) => `"${other}"`).join(", ")}; name another with chat_template`,
    );
  }
}

/** BOS and EOS that stand twice, one in the data and one that tokenizer or template writes. */
function noteRepeats(notes: DataNotes, { index, tokenizer, longer, conversation }: TokenizedRow): void {
  const { bosToken, bosTokenId, eosToken, eosTokenId } = tokenizer;
  const [writer, place] = conversation ? ["the chat template", "contents"] : ["the tokenizer", "texts"];
  if (isId(bosTokenId) && longer[0] === bosTokenId && longer[1] === bosTokenId) {
    notes.add(
      "BOS twice",
      `the row begins with two "${shorten(bosToken ?? "")}": ${writer} writes one; take it out of the ${place}`,
      index,
    );
  }
  if (isId(eosTokenId) && longer.some((id, at) => id === eosTokenId && longer[at + 1] === eosTokenId)) {
    notes.add("EOS twice", `"${shorten(eosToken ?? "")}" stands twice in a row: ${writer} writes one; take it out of the ${place}`, index);
  }
}

function isId(id: number | null | undefined): id is number {
  return id !== null && id !== undefined;
}

/** The end of the prompt that prompt and completion do not have: trl leaves it out, and so do we. */
function noteCut(notes: DataNotes, { index, tokenizer, shorter, longer, boundary }: TokenizedRow): void {
  if (boundary >= shorter.length) return;
  const decode = (ids: readonly number[]): string | undefined => tokenizer.decode?.([...ids]);
  const prompt = decode(shorter);
  if (prompt !== undefined && decode(longer)!.startsWith(prompt)) return; // the text goes on, only the last token is another one
  const cut = decode(shorter.slice(boundary));
  const shown = cut === undefined ? `${shorter.length - boundary} tokens` : excerpt(cut);
  notes.add(
    "prompt is no prefix",
    `the chat template writes ${shown} at the end of the prompt, and not where the answer is there: the model is asked with it and is not trained on it, as in trl`,
    index,
  );
}

/** Reasoning inside the content of an answer that the template leaves out. */
function noteLostReasoning(notes: DataNotes, completion: readonly ChatMessage[], whole: RenderedConversation, index: number): void {
  const lost = completion.some(({ content }) => {
    if (typeof content !== "string") return false;
    const end = content.indexOf("</think>");
    const reasoning = end === -1 ? "" : content.slice(0, end).replace("<think>", "").trim();
    return reasoning !== "" && !whole.text.includes(reasoning);
  });
  if (!lost) return;
  notes.add(
    "reasoning is cut",
    'the chat template leaves the reasoning ("<think>…</think>") of answers out: it is not trained on; to train it give a template that keeps it with chat_template, or rows of text, with the prompt up to "<think>\\n" and the completion from there',
    index,
  );
}

/** Of a run: fields that a template is known to read, or not to. */
const knownFields = new WeakMap<DataNotes, Map<string, boolean>>();

/** Fields of which a run has found out whether its template reads them; true for those that it does not. */
export function fieldsKnownOf(notes: DataNotes): Map<string, boolean> {
  let known = knownFields.get(notes);
  if (!known) knownFields.set(notes, (known = new Map()));
  return known;
}
/** Fields that are named: a data set of tool results may have hundreds. */
const MAX_FIELDS = 8;
/** Names under which transformers gives a template the reasoning of a message. */
const REASONING = ["reasoning_content", "thinking", "reasoning"];

/** Fields of messages whose text is lost: the template has not their name, and renders the same without them. */
function noteUnreadFields(
  notes: DataNotes,
  messages: readonly ChatMessage[],
  template: string,
  index: number,
  rendered: () => string,
  render: (messages: ChatMessage[]) => string,
): void {
  const known = fieldsKnownOf(notes);
  for (const field of new Set(messages.flatMap(fieldsWithText))) {
    let isUnread = known.get(field);
    if (isUnread === undefined && known.size < MAX_FIELDS) {
      const names = REASONING.includes(field) ? REASONING.slice(0, 2) : [field];
      isUnread = !names.some((name) => mentions(template, name)) && rendersAlike(rendered(), render, messages, field);
      known.set(field, isUnread);
    }
    if (isUnread)
      notes.add(
        `field not read: ${field}`,
        `the chat template does not read ${excerpt(field)} of messages: what it says is not trained on`,
        index,
      );
  }
}

function rendersAlike(
  rendered: string,
  render: (messages: ChatMessage[]) => string,
  messages: readonly ChatMessage[],
  field: string,
): boolean {
  try {
    return render(messages.map((message) => without(message, field))) === rendered;
  } catch {
    return false; // the template asks for it in a way of its own
  }
}

function without(message: ChatMessage, field: string): ChatMessage {
  if (message instanceof Map)
    return new Map([...(message as Map<unknown, unknown>)].filter(([name]) => name !== field)) as unknown as ChatMessage;
  return Object.fromEntries(Object.entries(message).filter(([name]) => name !== field)) as ChatMessage;
}

/** Names of a message's fields that hold more than a number: all but role and content. */
function fieldsWithText(message: ChatMessage): string[] {
  const entries = message instanceof Map ? [...(message as Map<string, unknown>)] : Object.entries(message);
  return entries.flatMap(([name, value]) => (name !== "role" && name !== "content" && holdsText(value) ? [name] : []));
}

function holdsText(value: unknown): boolean {
  if (typeof value === "string") return value !== "";
  if (Array.isArray(value)) return value.length > 0;
  return typeof value === "object" && value !== null && (value instanceof Map ? value.size : Object.keys(value).length) > 0;
}

/** Whether a template has a name as a word of its own. */
function mentions(template: string, name: string): boolean {
  for (let at = template.indexOf(name); at !== -1; at = template.indexOf(name, at + 1)) {
    if (!/\w/.test(template[at - 1] ?? "") && !/\w/.test(template[at + name.length] ?? "")) return true;
  }
  return false;
}
