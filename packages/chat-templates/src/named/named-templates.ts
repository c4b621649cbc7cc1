import { ArgumentError, excerpt, nearestName } from "@kto/core";
import { alpaca } from "./alpaca.js";
import { chatml } from "./chatml.js";
import { deepseekR1 } from "./deepseek.js";
import { gemma } from "./gemma.js";
import { llama3, llama31 } from "./llama.js";
import { mistral } from "./mistral.js";
import type { NamedChatTemplate } from "./named-template.js";
import { none } from "./none.js";
import { phi3 } from "./phi.js";
import { qwen25 } from "./qwen.js";
import { vicuna } from "./vicuna.js";
import { zephyr } from "./zephyr.js";

const formats: readonly NamedChatTemplate[] = [
  chatml,
  qwen25,
  deepseekR1,
  llama3,
  llama31,
  mistral,
  gemma,
  phi3,
  zephyr,
  alpaca,
  vicuna,
  none,
];

/** Every name of a chat template. */
export const chatTemplateNames: readonly string[] = formats.flatMap(({ name, aliases }) => [name, ...aliases]);

/** The chat template of a name; undefined for one that is not known. Case, hyphens and points do not count: `qwen25` is `qwen-2.5`. */
export function findChatTemplate(name: string): NamedChatTemplate | undefined {
  const key = bare(name);
  return formats.find((format) => [format.name, ...format.aliases].some((known) => bare(known) === key));
}

/** The chat template of a name, as {@link findChatTemplate}. Throws ArgumentError with the names that there are, and the nearest. */
export function namedChatTemplate(name: string, operation = "namedChatTemplate"): NamedChatTemplate {
  const found = typeof name === "string" ? findChatTemplate(name) : undefined;
  if (found) return found;
  const nearest = typeof name === "string" ? nearestName(name, chatTemplateNames) : undefined;
  throw new ArgumentError({
    operation,
    problem: "there is no chat template of that name",
    expected: `one of ${chatTemplateNames.join(", ")}`,
    got: excerpt(name),
    advice: nearest === undefined ? "for a template of your own use tokenizer.withChatTemplate" : `did you mean ${nearest}?`,
  });
}

const bare = (name: string): string => name.toLowerCase().replace(/[-_.\s]/g, "");
