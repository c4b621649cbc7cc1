import { inTurns, type NamedChatTemplate, trimmed, withoutTools } from "./named-template.js";

/**
 * Mistral's instruction format. A system message opens the first user turn, where it stays as the conversation grows (the templates of later
 * models write it into the last one, so that a prompt is not the beginning of prompt and answer).
 */
export const mistral: NamedChatTemplate = {
  name: "mistral",
  aliases: [],
  stop: [],
  template: `${withoutTools("mistral")}${inTurns("mistral")}
{{- bos_token -}}
{%- for message in turns -%}
  {%- if message.role == 'user' -%}
    {{- '[INST] ' + (system + '\\n\\n' if loop.first and system is not none else '') + message.content + ' [/INST]' -}}
  {%- else -%}
    {{- ' ' + ${trimmed} -}}{{- eos_token -}}
  {%- endif -%}
{%- endfor -%}`,
};
