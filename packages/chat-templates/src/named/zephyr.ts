import { type NamedChatTemplate, onlyRoles, withoutTools } from "./named-template.js";

/** Zephyr: every turn ends with EOS; no BOS. */
export const zephyr: NamedChatTemplate = {
  name: "zephyr",
  aliases: [],
  stop: [],
  template: `${withoutTools("zephyr")}${onlyRoles("zephyr", ["system", "user", "assistant"])}
{%- for message in messages -%}
  {{- '<|' + message.role + '|>\\n' + message.content -}}{{- eos_token -}}{{- '\\n' -}}
{%- endfor -%}
{{- '<|assistant|>\\n' if add_generation_prompt -}}`,
};
