/** A chat format that is known by name. */
export interface NamedChatTemplate {
  /** Its name; a format that several models share has the name of the first. */
  readonly name: string;
  /** Further names, of models with the same format. */
  readonly aliases: readonly string[];
  /** The Jinja text. It writes its own BOS where the format has one. */
  readonly template: string;
  /** Texts that end an answer, beside the model's EOS. */
  readonly stop: readonly string[];
}

/** Jinja that raises what is wrong with a conversation. */
const raise = (reason: string): string => `{{- raise_exception(${reason}) -}}`;

/** Jinja that refuses tools, and tool calls in messages, rather than losing them. */
export function withoutTools(name: string): string {
  const reason = (what: string): string =>
    `'the template ${name} has no place for ${what}; take one that has, such as qwen-2.5 or llama-3.1'`;
  return `
{%- if tools -%}${raise(reason("tools"))}{%- endif -%}
{%- for message in messages if message.tool_calls -%}${raise(reason("tool calls"))}{%- endfor -%}`;
}

/** Jinja that refuses a role that the format has no turn for; `system` may stand first, and elsewhere only where it is among `roles`. */
export function onlyRoles(name: string, roles: readonly string[]): string {
  const expected = [...(roles.includes("system") ? [] : ["system (first)"]), ...roles].join(", ");
  return `
{%- for message in messages -%}
  {%- if message.role not in ${list(roles)} and not (loop.first and message.role == 'system') -%}
    ${raise(`"the template ${name} has no turn for the role '" ~ message.role ~ "' of message " ~ loop.index ~ '; expected ${expected}'`)}
  {%- endif -%}
{%- endfor -%}`;
}

/** Jinja for formats of two roles in turn: `system` is the text of a system message, or none, `turns` the rest, of which the first is the user's. */
export function inTurns(name: string): string {
  return `${splitSystem}
{%- if not turns -%}${raise(`'the template ${name} writes a system message into the first user message, and there is none'`)}{%- endif -%}
{%- for message in turns -%}
  {%- if message.role != ('assistant' if loop.index0 % 2 else 'user') -%}
    ${raise(`'the template ${name} takes user and assistant in turn, after at most one system message; got ' ~ messages | map(attribute='role') | join(', ')`)}
  {%- endif -%}
{%- endfor -%}`;
}

/** Jinja that sets `system` to the text of a system message, or none, and `turns` to what follows. */
export const splitSystem: string = `
{%- set system = messages[0].content if messages[0].role == 'system' else none -%}
{%- set turns = messages if system is none else messages[1:] -%}`;

/** Jinja for the text of a message without blanks around it; a content that is no text, or not there, is an error as without `trim`. */
export const trimmed = "(message.content + '') | trim";

const list = (names: readonly string[]): string => `[${names.map((name) => `'${name}'`).join(", ")}]`;
