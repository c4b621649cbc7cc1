import type { ChatMessage } from "@kto/generate";
import { isObject, missing, notSupported, unusable } from "./fields.js";

const advice = "send texts alone";

/** Roles that a message may have, as templates know them: OpenAI's newer word for the system is the system. */
const roles: Readonly<Record<string, string>> = { system: "system", developer: "system", user: "user", assistant: "assistant" };

/** The messages of a chat request, with texts for contents. Throws RequestError that names the message, and the part of it, that is at fault. */
export function readMessages(given: unknown): ChatMessage[] {
  if (given === undefined) throw missing("messages", "a list of messages");
  if (!Array.isArray(given) || given.length === 0) throw unusable("messages", "a list of at least one message", given);
  return given.map((message: unknown, index) => readMessage(message, `messages[${index}]`));
}

function readMessage(message: unknown, place: string): ChatMessage {
  if (!isObject(message)) throw unusable(place, "an object of role and content", message);
  const { role, content } = message;
  if (typeof role !== "string" || !Object.hasOwn(roles, role))
    throw unusable(`${place}.role`, `one of ${Object.keys(roles).join(", ")}`, role);
  for (const name of ["tool_calls", "function_call", "audio"])
    if ((message[name] ?? undefined) !== undefined) throw notSupported(`${place}.${name}`, message[name], { advice });
  return { role: roles[role]!, content: readContent(content, `${place}.content`) };
}

/** A text, or parts of one, which are joined. */
function readContent(content: unknown, place: string): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content) || content.length === 0) throw unusable(place, "a text, or a list of parts of type text", content);
  return content
    .map((part: unknown, index) => {
      const at = `${place}[${index}]`;
      if (!isObject(part) || typeof part["type"] !== "string") throw unusable(at, 'an object of type "text"', part);
      if (part["type"] !== "text") throw notSupported(`${at}.type`, part["type"], { expected: '"text"', advice });
      if (typeof part["text"] !== "string") throw unusable(`${at}.text`, "a text", part["text"]);
      return part["text"];
    })
    .join("");
}
