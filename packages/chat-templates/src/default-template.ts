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
