import { namedChatTemplate } from "@kto/chat-templates";
import { TokenizerError } from "./errors.js";
import type { MessageMapping } from "./message-mapping.js";
import type { Tokenizer } from "./tokenizer.js";

/**
 * The same tokenizer with a chat template that is known by name (`chatml`, `llama-3`, …; `chatTemplateNames` of `@kto/chat-templates`), as Unsloth's
 * function of that name. Answers end at the template's stop tokens and at the model's own EOS. With a `mapping`, conversations may be in another layout:
 *
 *   getChatTemplate(tokenizer, "chatml", { mapping: { role: "from", content: "value", user: "human", assistant: "gpt" } })
 *
 * The tokenizer that is given stays as it is.
 *
 * @throws ArgumentError for a name that is not known, or a mapping that cannot be; TokenizerError for a model's tokenizer that it has not
 */
export function getChatTemplate(
  tokenizer: Tokenizer | undefined,
  name: string,
  { mapping }: { mapping?: MessageMapping | undefined } = {},
): Tokenizer {
  if (!tokenizer)
    throw new TokenizerError({
      operation: "getChatTemplate",
      problem: "there is no tokenizer",
      expected: "one",
      got: "undefined, as of a model without tokenizer.json",
      advice: "put tokenizer.json beside the model's weights",
    });
  const { template, stop } = namedChatTemplate(name, "getChatTemplate");
  return tokenizer.withChatTemplate(template, { stop, mapping });
}
