import { type NamedChatTemplate, onlyRoles, splitSystem, withoutTools } from "./named-template.js";

/** DeepSeek-R1 and its distilled models: reasoning is cut from the answers of the conversation, and a new answer begins with it. */
export const deepseekR1: NamedChatTemplate = {
  name: "deepseek-r1",
  aliases: [],
  stop: ["<｜end▁of▁sentence｜>"],
  template: `${withoutTools("deepseek-r1")}${onlyRoles("deepseek-r1", ["user", "assistant"])}${splitSystem}
{{- bos_token -}}{{- system + '' if system is not none -}}
{%- for message in turns -%}
  {%- if message.role == 'user' -%}
    {{- '<｜User｜>' + message.content -}}
  {%- else -%}
    {{- '<｜Assistant｜>' + message.content.split('</think>')[-1] + '<｜end▁of▁sentence｜>' -}}
  {%- endif -%}
{%- endfor -%}
{{- '<｜Assistant｜><think>\\n' if add_generation_prompt -}}`,
};
