import { type NamedChatTemplate, splitSystem, trimmed, withoutTools } from "./named-template.js";

const head = (role: string): string => `'<|start_header_id|>' + ${role} + '<|end_header_id|>\\n\\n'`;

/** Llama 3: any role; contents without blanks around them. */
export const llama3: NamedChatTemplate = {
  name: "llama-3",
  aliases: [],
  stop: ["<|eot_id|>"],
  template: `${withoutTools("llama-3")}
{{- bos_token -}}
{%- for message in messages -%}
  {{- ${head("message.role")} + ${trimmed} + '<|eot_id|>' -}}
{%- endfor -%}
{{- ${head("'assistant'")} if add_generation_prompt -}}`,
};

/** What the model is told of its tools, in the first user turn. */
const toolsBefore =
  'Given the following functions, please respond with a JSON for a function call with its proper arguments that best answers the given prompt.\\n\\nRespond in the format {"name": function name, "parameters": dictionary of argument name and its value}.Do not use variables.\\n\\n';

/**
 * Llama 3.1 to 3.3: a system turn always, with dates. Today is 26 July 2024, as in the models' own templates where they know no clock, or the variable
 * `date_string`: a prompt is then the same on any day.
 */
export const llama31: NamedChatTemplate = {
  name: "llama-3.1",
  aliases: ["llama-3.2", "llama-3.3"],
  stop: ["<|eot_id|>"],
  template: `${splitSystem}
{{- bos_token -}}
{{- ${head("'system'")} + ('Environment: ipython\\n' if tools else '') -}}
{{- 'Cutting Knowledge Date: December 2023\\nToday Date: ' + (date_string or '26 Jul 2024') + '\\n\\n' -}}
{{- ('' if system is none else (system + '') | trim) + '<|eot_id|>' -}}
{%- if tools and not (turns and turns[0].role == 'user') -%}
  {{- raise_exception('the template llama-3.1 writes tools into the first user message, and the conversation does not begin with one') -}}
{%- endif -%}
{%- for message in turns -%}
  {%- if message.tool_calls -%}
    {%- if message.tool_calls | length != 1 -%}
      {{- raise_exception('the template llama-3.1 takes one tool call a message, got ' ~ message.tool_calls | length) -}}
    {%- endif -%}
    {%- set function = message.tool_calls[0].function -%}
    {{- ${head("'assistant'")} + '{"name": "' + function.name + '", "parameters": ' + function.arguments | tojson + '}<|eot_id|>' -}}
  {%- elif message.role in ['tool', 'ipython'] -%}
    {{- ${head("'ipython'")} + message.content | tojson + '<|eot_id|>' -}}
  {%- else -%}
    {{- ${head("message.role")} -}}
    {%- if tools and loop.first -%}
      {{- '${toolsBefore}' -}}
      {%- for tool in tools -%}{{- tool | tojson(indent=4) + '\\n\\n' -}}{%- endfor -%}
    {%- endif -%}
    {{- ${trimmed} + '<|eot_id|>' -}}
  {%- endif -%}
{%- endfor -%}
{{- ${head("'assistant'")} if add_generation_prompt -}}`,
};
