import { namedChatTemplate } from "@kto/chat-templates";
import type { MessageMapping } from "./message-mapping.js";
import type { Tokenizer } from "./tokenizer.js";

/**
 * The same tokenizer with a chat template that is known by name (`chatml`, `llama-3`, …; `chatTemplateNames` of `@kto/chat-templates`), as Unsloth's
 * function of that name. Answers end at the template's stop tokens and at the model's own EOS. With a `mapping`, conversations may be in another layout:
 *
 *   getChatTemplate(tokenizer, "chatml", { mapping: { role: "from", content: "value", user: "human", assistant: "gpt" } })
 *
 * The tokenizer that is given stays as it is. Throws ArgumentError for a name that is not known, or a mapping that cannot be.
 */
export function getChatTemplate(tokenizer: Tokenizer, name: string, { mapping }: { mapping?: MessageMapping | undefined } = {}): Tokenizer {
  const { template, stop } = namedChatTemplate(name, "getChatTemplate");
  return tokenizer.withChatTemplate(template, { stop, mapping });
}
