import { TemplateError } from "./errors.js";
import type { ChatMessage } from "./render.js";

/** What a row is rendered for. */
export type ChatTemplateTask = "sft" | "generation" | "rm" | "dpo" | "kto";

/** The part of a tokenizer that rendering needs; `Tokenizer` of `@kto/tokenizer` has it. */
export interface TemplateRenderer {
  applyChatTemplate(messages: readonly ChatMessage[], options: { tokenize: false; addGenerationPrompt?: boolean }): string;
}

type Row = Readonly<Record<string, unknown>>;

/**
 * Renders a row's conversations into text columns, as `apply_chat_template(example, tokenizer, task)` of the reference tutorial:
 *
 * | task | reads | adds |
 * | --- | --- | --- |
 * | `sft`, `generation` | `messages` | `text` (with a generation prompt for `generation`) |
 * | `rm` | `chosen`, `rejected` | `text_chosen`, `text_rejected` |
 * | `dpo` | `chosen`, `rejected` | `text_prompt`, `text_chosen`, `text_rejected` |
 * | `kto` | `chosen`, `rejected`, `system` if there | `text_chosen`, `text_rejected` |
 *
 * Kept from the tutorial: `sft`, `generation` and `rm` put an empty system message first where there is none, and the row that
 * comes back holds it; `dpo` drops the first message of both sides, whatever its role, and its prompt is the first user message
 * alone; `kto` keeps that message and then every assistant message, so later user turns are lost. `assistantPrefix` is cut off
 * the start of completions. Unlike the tutorial, the row that was given is not changed.
 *
 * Throws `TemplateError` with `errorType` `ValueError` for a row without the columns its task reads.
 */
export function applyChatTemplateTask<Example extends Row>(
  example: Example,
  tokenizer: TemplateRenderer,
  task: ChatTemplateTask = "sft",
  assistantPrefix = "<|assistant|>\n",
): Example & Record<string, unknown> {
  const render = (messages: ChatMessage[], addGenerationPrompt = false): string =>
    tokenizer.applyChatTemplate(messages, { tokenize: false, addGenerationPrompt });
  const renderCompletion = (messages: ChatMessage[]): string => {
    const text = render(messages);
    return text.startsWith(assistantPrefix) ? text.slice(assistantPrefix.length) : text;
  };
  switch (task) {
    case "sft":
    case "generation": {
      const messages = withSystem(conversation(example, "messages", task));
      return { ...example, messages, text: render(messages, task === "generation") };
    }
    case "rm": {
      const chosen = withSystem(conversation(example, "chosen", task));
      const rejected = withSystem(conversation(example, "rejected", task));
      return { ...example, chosen, rejected, text_chosen: render(chosen), text_rejected: render(rejected) };
    }
    case "dpo": {
      const chosen = conversation(example, "chosen", task);
      const rejected = conversation(example, "rejected", task);
      const system = chosen[0]?.role === "system" ? chosen[0] : EMPTY_SYSTEM;
      const prompt = [system, firstUser(chosen, task)];
      return {
        ...example,
        text_chosen: renderCompletion(chosen.slice(1)),
        text_rejected: renderCompletion(rejected.slice(1)),
        text_prompt: render(prompt, true),
      };
    }
    case "kto": {
      const chosen = conversation(example, "chosen", task);
      const rejected = conversation(example, "rejected", task);
      const system: ChatMessage[] = "system" in example ? [{ role: "system", content: example["system"] }] : [];
      const prompt = [...system, firstUser(chosen, task)];
      const answers = (messages: ChatMessage[]): ChatMessage[] => messages.filter((message) => message.role === "assistant");
      return {
        ...example,
        text_chosen: renderCompletion([...prompt, ...answers(chosen)]),
        text_rejected: renderCompletion([...prompt, ...answers(rejected)]),
      };
    }
  }
  throw taskError(`task '${String(task)}' is not supported; expected one of sft, generation, rm, dpo, kto`);
}

const EMPTY_SYSTEM: ChatMessage = { role: "system", content: "" };

function withSystem(messages: ChatMessage[]): ChatMessage[] {
  return messages[0]?.role === "system" ? messages : [{ ...EMPTY_SYSTEM }, ...messages];
}

function conversation(example: Row, column: string, task: ChatTemplateTask): ChatMessage[] {
  const messages = example[column];
  if (Array.isArray(messages) && messages.length > 0) return messages as ChatMessage[];
  const found = Object.keys(example).join(", ");
  const problem = messages === undefined ? "is missing" : "is not a list of messages, or empty";
  throw taskError(`column '${column}' of task '${task}' ${problem}; the row has [${found}]`);
}

function firstUser(messages: ChatMessage[], task: ChatTemplateTask): ChatMessage {
  const user = messages.find((message) => message.role === "user");
  if (!user)
    throw taskError(`task '${task}' needs a user message in 'chosen'; got roles [${messages.map((message) => message.role).join(", ")}]`);
  return user;
}

function taskError(reason: string): TemplateError {
  return new TemplateError("applyChatTemplateTask", { errorType: "ValueError", reason });
}
