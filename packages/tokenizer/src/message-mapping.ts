import { type ChatMessage, TemplateError } from "@kto/chat-templates";
import { ArgumentError, excerpt, nearestName } from "@kto/core";

/** How messages are laid out that are not `{ role, content }`: what they call these fields and the roles. ShareGPT has `from`, `value`, `human` and `gpt`. */
export interface MessageMapping {
  /** The field that says who speaks. */
  role: string;
  /** The field with the text. */
  content: string;
  /** What the user is called. */
  user: string;
  /** What the assistant is called. */
  assistant: string;
  /** What the system is called; default `system`. */
  system?: string | undefined;
}

/** A message as chat templates read it, or in the layout of a {@link MessageMapping}. */
export type TemplateMessage = ChatMessage | Readonly<Record<string, unknown>>;

const required = ["role", "content", "user", "assistant"] as const;
const roles = ["user", "assistant", "system"] as const;

/** Throws ArgumentError for a mapping that lacks a name, has one that it cannot have, or gives two things the same name. */
export function checkMapping(operation: string, mapping: MessageMapping): void {
  const wrong = (problem: string, expected: string, got: string, advice?: string): ArgumentError =>
    new ArgumentError({ operation, problem: `the mapping ${problem}`, expected, got, advice });
  if (typeof mapping !== "object" || mapping === null)
    throw wrong("is no object", '{ role: "from", content: "value", user: "human", assistant: "gpt" }', excerpt(mapping));
  const known: readonly string[] = [...required, "system"];
  const unknown = Object.keys(mapping).find((name) => !known.includes(name));
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, known);
    throw wrong(`has a name that it cannot have`, known.join(", "), excerpt(unknown), nearest && `did you mean ${nearest}?`);
  }
  for (const name of known) {
    const given = mapping[name as keyof MessageMapping];
    if (name === "system" && given === undefined) continue;
    if (typeof given !== "string" || given === "")
      throw wrong(`does not say what ${name} is called`, "a text of at least one letter", excerpt(given));
  }
  if (mapping.role === mapping.content) throw wrong("calls role and content the same", "two fields", excerpt(mapping.role));
  const names = roles.map((role) => mapping[role] ?? role);
  const twice = names.findIndex((name, index) => names.indexOf(name) !== index);
  if (twice === -1) return;
  const both = `${roles[names.indexOf(names[twice]!)]!} and ${roles[twice]!}`;
  throw wrong(`calls ${both} the same`, "a name for each", excerpt(names[twice]));
}

/**
 * Messages of the mapping's layout as `{ role, content }`; those that have this layout already stay as they are, and so do names of roles that the mapping
 * does not have. Throws TemplateError for a message of neither layout.
 */
export function mapMessages(messages: readonly TemplateMessage[], mapping: MessageMapping): readonly ChatMessage[] {
  if (!Array.isArray(messages)) return messages as readonly ChatMessage[]; // what is wrong with it, the renderer says
  const roleOf = new Map(roles.map((role) => [mapping[role] ?? role, role]));
  return (messages as readonly TemplateMessage[]).map((message, index) => {
    if (typeof message !== "object" || message === null) return message;
    const { [mapping.role]: speaker, [mapping.content]: content, ...rest } = message as Record<string, unknown>;
    if (speaker === undefined && typeof message["role"] === "string") return message as ChatMessage;
    const missing = speaker === undefined ? mapping.role : content === undefined && rest["tool_calls"] === undefined ? mapping.content : "";
    if (missing !== "")
      throw new TemplateError("applyChatTemplate", {
        errorType: "KeyError",
        reason: `message ${index + 1} has no "${missing}"; expected messages with ${mapping.role} and ${mapping.content}, or with role and content, got ${excerpt(message)}`,
      });
    return { ...rest, role: (roleOf.get(speaker as string) ?? speaker) as string, ...(content !== undefined && { content }) };
  });
}
