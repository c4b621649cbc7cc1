import { excerpt } from "@kto/core";
import { readFile } from "node:fs/promises";
import { ConfigError } from "../errors.js";

/** A chat template given by the user: the text itself, or a file that holds it. Throws ConfigError when it is neither. */
export async function readChatTemplate(given: string | null | undefined): Promise<string | undefined> {
  if (given === null || given === undefined) return undefined;
  if (/\{[{%]/.test(given)) return given;
  try {
    return await readFile(given, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `chat_template: not usable; expected Jinja text or a file that holds it, got ${excerpt(given, 400)} (${code === "ENOENT" ? "no such file" : code}); check the path`,
    ]);
  }
}
