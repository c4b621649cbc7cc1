import { type NamedChatTemplate, withoutTools } from "./named-template.js";

/** No format: the texts of the messages, one behind the other, and nothing else. */
export const none: NamedChatTemplate = {
  name: "none",
  aliases: [],
  stop: [],
  template: `${withoutTools("none")}
{%- for message in messages -%}
  {{- message.content + '' -}}
{%- endfor -%}`,
};
