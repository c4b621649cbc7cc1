import { chatTemplateNames, findChatTemplate } from "@kto/chat-templates";
import { excerpt, nearestName } from "@kto/core";
import { readFile } from "node:fs/promises";
import { ConfigError } from "../errors.js";

/**
 * The chat template that the user gave: the text itself, the name of a format, or a file that holds it. A name comes before a file of the same name, which
 * is `./NAME`. Throws ConfigError when it is none of them.
 */
export async function readChatTemplate(given: string | null | undefined): Promise<string | undefined> {
  if (given === null || given === undefined) return undefined;
  if (/\{[{%]/.test(given)) return given;
  const named = findChatTemplate(given);
  if (named) return named.template;
  try {
    return await readFile(given, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    const nearest = nearestName(given, chatTemplateNames);
    throw new ConfigError([
      `chat_template: not usable; expected Jinja text or a file that holds it, or one of ${chatTemplateNames.join(", ")}, got ${excerpt(given, 400)} (${code === "ENOENT" ? "no such file" : code}); ${nearest === undefined ? "check the path" : `did you mean ${nearest}?`}`,
    ]);
  }
}
