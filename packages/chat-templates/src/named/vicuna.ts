import { type NamedChatTemplate, onlyRoles, splitSystem, withoutTools } from "./named-template.js";

const opening =
  "A chat between a curious user and an artificial intelligence assistant. The assistant gives helpful, detailed, and polite answers to the user's questions.";

/** Vicuna 1.1 and later; a system message stands in place of the two sentences that open the chat. */
export const vicuna: NamedChatTemplate = {
  name: "vicuna",
  aliases: [],
  stop: [],
  template: `${withoutTools("vicuna")}${onlyRoles("vicuna", ["user", "assistant"])}${splitSystem}
{{- bos_token -}}{{- ("${opening}" if system is none else system) + ' ' -}}
{%- for message in turns -%}
  {%- if message.role == 'user' -%}
    {{- 'USER: ' + message.content + ' ' -}}
  {%- else -%}
    {{- 'ASSISTANT: ' + message.content -}}{{- eos_token -}}
  {%- endif -%}
{%- endfor -%}
{{- 'ASSISTANT:' if add_generation_prompt -}}`,
};
