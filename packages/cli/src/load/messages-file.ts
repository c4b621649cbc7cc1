import { readFile } from "node:fs/promises";
import { excerpt, FormatError, foreignText, parseJson } from "@kto/core";
import { isConversation } from "@kto/datasets";
import type { ChatMessage } from "@kto/generate";

/**
 * A conversation from a file: a JSON list of messages with role and content.
 *
 * @throws FormatError for what is none, with the message at fault; what the file system throws
 */
export async function readMessages(path: string): Promise<ChatMessage[]> {
  const text = await readFile(path, "utf8");
  const foreign = foreignText(text);
  if (foreign !== undefined) throw new FormatError(`messages: ${path} cannot be read; expected JSON, got ${foreign}`, { source: path });
  const messages = parseJson(text.replace(/^\ufeff/, ""), { operation: `messages: ${path}` });
  if (!Array.isArray(messages)) throw malformed(path, "it is no list", messages);
  if (messages.length === 0) throw malformed(path, "there is no message in it", messages);
  const roleless = messages.findIndex((message) => !isConversation([message]));
  if (roleless >= 0) throw malformed(path, `message ${roleless} (counted from 0) has no role`, messages[roleless]);
  const silent = messages.findIndex((message) => !hasContent(message as ChatMessage));
  if (silent >= 0) throw malformed(path, `message ${silent} (counted from 0) has no content`, messages[silent]);
  return messages as ChatMessage[];
}

/** Whether a message says something, or calls a tool. An object whose keys JavaScript would reorder is a map. */
function hasContent(message: ChatMessage): boolean {
  const value = (name: string): unknown => (message instanceof Map ? message.get(name) : message[name]);
  const content = value("content");
  return typeof content === "string" || (Array.isArray(content) && content.length > 0) || Array.isArray(value("tool_calls"));
}

function malformed(path: string, problem: string, got: unknown): FormatError {
  return new FormatError(`messages: ${path}: ${problem}; expected [{"role": …, "content": …}, …], got ${excerpt(got)}`, { source: path });
}
