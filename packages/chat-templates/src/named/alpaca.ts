import { type NamedChatTemplate, onlyRoles, splitSystem, withoutTools } from "./named-template.js";

/** Alpaca: instructions and responses under headings; a system message stands in place of the sentence that opens them. */
export const alpaca: NamedChatTemplate = {
  name: "alpaca",
  aliases: [],
  stop: [],
  template: `${withoutTools("alpaca")}${onlyRoles("alpaca", ["user", "assistant"])}${splitSystem}
{%- set opening = 'Below is an instruction that describes a task. Write a response that appropriately completes the request.' -%}
{{- bos_token -}}{{- (opening if system is none else system) + '' -}}
{%- for message in turns -%}
  {%- if message.role == 'user' -%}
    {{- '\\n\\n### Instruction:\\n' + message.content -}}
  {%- else -%}
    {{- '\\n\\n### Response:\\n' + message.content -}}{{- eos_token -}}
  {%- endif -%}
{%- endfor -%}
{{- '\\n\\n### Response:\\n' if add_generation_prompt -}}`,
};
