import { type NamedChatTemplate, withoutTools } from "./named-template.js";

/** ChatML: any role, no system message of its own, no BOS. */
export const chatml: NamedChatTemplate = {
  name: "chatml",
  aliases: [],
  stop: ["<|im_end|>"],
  template: `${withoutTools("chatml")}
{%- for message in messages -%}
  {{- '<|im_start|>' + message.role + '\\n' + message.content + '<|im_end|>\\n' -}}
{%- endfor -%}
{{- '<|im_start|>assistant\\n' if add_generation_prompt -}}`,
};
