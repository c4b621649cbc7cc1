import { readFile } from "node:fs/promises";
import { excerpt } from "@kto/core";
import type { GivenFields } from "@kto/core/config";
import { parseDocument } from "yaml";
import { ConfigError } from "../errors.js";

/** Largest config read: thousands of times what any needs. */
const maxConfigBytes = 1 << 20;

/** Reads a YAML (or JSON) config. Throws ConfigError for a file that is missing, not YAML, or not a map. */
export async function readConfigFile(path: string): Promise<GivenFields> {
  let content: string;
  try {
    content = await readFile(path, "utf8");
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `${path}: the config cannot be read; expected a YAML file, got ${code === "ENOENT" ? "no such file" : code}; check the path`,
    ]);
  }
  if (content.length > maxConfigBytes)
    throw new ConfigError([
      `${path}: the config is too large; expected at most ${maxConfigBytes} characters, got ${content.length}; is it the right file?`,
    ]);
  const document = parseDocument(content, { prettyErrors: true });
  if (document.errors.length > 0) {
    throw new ConfigError(
      document.errors.map(
        ({ message }) =>
          `${path}: not YAML; expected lines "field: value", got "${message.split("\n")[0]!.replace(/:$/, "")}"; mend that line`,
      ),
    );
  }
  const parsed = toPlain(path, () => document.toJS({ maxAliasCount: 100 }) as unknown);
  if (parsed === null) return { values: new Map(), places: new Map() };
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new ConfigError([
      `${path}: the config is not a map; expected lines "field: value", got ${excerpt(parsed)}; see kto train --help`,
    ]);
  }
  const values = new Map(Object.entries(parsed));
  return { values, places: new Map([...values.keys()].map((field) => [field, `${field} (${path})`])) };
}

function toPlain(path: string, convert: () => unknown): unknown {
  try {
    return convert();
  } catch (error) {
    throw new ConfigError([`${path}: not usable; ${(error as Error).message}; write it without such aliases`]);
  }
}
