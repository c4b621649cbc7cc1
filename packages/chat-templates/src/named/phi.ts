import { type NamedChatTemplate, onlyRoles, withoutTools } from "./named-template.js";

/** Phi-3 and 3.5: no BOS; a conversation that is whole ends with EOS. */
export const phi3: NamedChatTemplate = {
  name: "phi-3",
  aliases: ["phi-3.5"],
  stop: ["<|end|>"],
  template: `${withoutTools("phi-3")}${onlyRoles("phi-3", ["system", "user", "assistant"])}
{%- for message in messages -%}
  {{- '<|' + message.role + '|>\\n' + message.content + '<|end|>\\n' -}}
{%- endfor -%}
{{- '<|assistant|>\\n' if add_generation_prompt else eos_token -}}`,
};
