import { inTurns, type NamedChatTemplate, trimmed, withoutTools } from "./named-template.js";

/** Gemma 1 to 3: the assistant is the model. There is no system turn: a system message opens the first user turn, as in Gemma 3 and as Google advises. */
export const gemma: NamedChatTemplate = {
  name: "gemma",
  aliases: ["gemma-2", "gemma-3"],
  stop: ["<end_of_turn>"],
  template: `${withoutTools("gemma")}${inTurns("gemma")}
{{- bos_token -}}
{%- for message in turns -%}
  {{- '<start_of_turn>' + ('model' if message.role == 'assistant' else 'user') + '\\n' -}}
  {{- (system + '\\n\\n' if loop.first and system is not none else '') + ${trimmed} + '<end_of_turn>\\n' -}}
{%- endfor -%}
{{- '<start_of_turn>model\\n' if add_generation_prompt -}}`,
};
