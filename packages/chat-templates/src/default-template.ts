/**
 * The template that the reference tutorial gives to a tokenizer without one. Blank lines and the indentation before each turn
 * are part of what it renders, and a role other than user, system and assistant renders as nothing.
 */
export const DEFAULT_CHAT_TEMPLATE: string = `
    {% for message in messages %}
    {% if message['role'] == 'user' %}
    {{ '<|user|>
' + message['content'] + eos_token }}
    {% elif message['role'] == 'system' %}
    {{ '<|system|>
' + message['content'] + eos_token }}
    {% elif message['role'] == 'assistant' %}
    {{ '<|assistant|>
' + message['content'] + eos_token }}
    {% endif %}
    {% if loop.last and add_generation_prompt %}
    {{ '<|assistant|>' }}
    {% endif %}
    {% endfor %}
    `;

/**
 * The template that stands in for a model without one: the turns of the tutorial's, without the blank lines and blanks that it writes around them. Each
 * turn ends with EOS and nothing behind it, so that a model learns to stop there; the generation prompt opens a turn just as a message does, so that the
 * prompt is the start of prompt and completion. A content that is no text, and a tool call, are refused rather than lost.
 */
export const STAND_IN_CHAT_TEMPLATE: string = `{%- for message in messages -%}
  {%- if message.tool_calls -%}
    {{- raise_exception('the model has no chat template, and the one that stands in for it has no tool calls; give a chat template') -}}
  {%- elif message.content is not string -%}
    {{- raise_exception('the model has no chat template, and the one that stands in for it takes contents that are text; give a chat template') -}}
  {%- endif -%}
  {{- '<|' ~ message.role ~ '|>\\n' ~ message.content ~ eos_token -}}
{%- endfor -%}
{%- if add_generation_prompt -%}
  {{- '<|assistant|>\\n' -}}
{%- endif -%}
`;
