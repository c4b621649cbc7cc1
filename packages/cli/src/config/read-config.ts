import { readFile } from "node:fs/promises";
import { excerpt, shorten } from "@kto/core";
import type { GivenFields } from "@kto/core/config";
import { CORE_SCHEMA, intYaml11Tag, loadAll, mergeTag, YAMLException } from "js-yaml";
import { ConfigError } from "../errors.js";

/** Largest config read: thousands of times what any needs, and a second of work at most. */
const maxConfigBytes = 1 << 20;

/** Most fields of a config: several times as many as trl, transformers and this command have together. Each that is not known is looked for among them. */
const maxFields = 1000;

/** YAML 1.2 with what people know from PyYAML: `<<` merges a map, and an integer may be `1_000`. */
const schema = CORE_SCHEMA.withTags(mergeTag, intYaml11Tag);

/** Reads a YAML (or JSON) config. Throws ConfigError for a file that is missing, too large, no text, not YAML, or not one map. */
export async function readConfigFile(path: string): Promise<GivenFields> {
  const documents = parseYaml(path, decode(path, await readBytes(path)));
  if (documents.length > 1)
    throw new ConfigError([
      `${path}: there are ${documents.length} documents in the config; expected one, with lines "field: value"; remove the others, or the lines --- between them`,
    ]);
  const [parsed = null] = documents;
  if (parsed === null) return { values: new Map(), places: new Map() };
  if (typeof parsed !== "object" || Array.isArray(parsed)) {
    throw new ConfigError([
      `${path}: the config is not a map; expected lines "field: value", got ${excerpt(parsed)}; see kto train --help`,
    ]);
  }
  const values = new Map(Object.entries(parsed));
  if (values.size > maxFields)
    throw new ConfigError([
      `${path}: there are too many fields in the config; expected at most ${maxFields}, got ${values.size}; is it the right file?`,
    ]);
  return { values, places: new Map([...values.keys()].map((field) => [field, `${shorten(field)} (${path})`])) };
}

async function readBytes(path: string): Promise<Uint8Array> {
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path);
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    throw new ConfigError([
      `${path}: the config cannot be read; expected a YAML file, got ${code === "ENOENT" ? "no such file" : code}; check the path`,
    ]);
  }
  if (bytes.byteLength <= maxConfigBytes) return bytes;
  throw new ConfigError([
    `${path}: the config is too large; expected at most ${maxConfigBytes} bytes, got ${bytes.byteLength}; is it the right file?`,
  ]);
}

/** UTF-8, or UTF-16 where its mark says so, as PyYAML reads both. */
function decode(path: string, bytes: Uint8Array): string {
  const encoding = bytes[0] === 0xff && bytes[1] === 0xfe ? "utf-16le" : bytes[0] === 0xfe && bytes[1] === 0xff ? "utf-16be" : "utf-8";
  try {
    return new TextDecoder(encoding, { fatal: true }).decode(bytes);
  } catch {
    throw new ConfigError([
      `${path}: the config is no text; expected UTF-8, got bytes that are none; save it as UTF-8, if it is the right file`,
    ]);
  }
}

function parseYaml(path: string, text: string): unknown[] {
  try {
    return loadAll(text, { schema });
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { reason, mark } = error;
    const line = mark && text.split(/\r\n|\r|\n/)[mark.line];
    const got = mark === undefined ? "" : ` in line ${mark.line + 1}, ${excerpt(line?.trim() ?? "")}`;
    throw new ConfigError([`${path}: not YAML; expected lines "field: value", got ${reason}${got}; mend that line`]);
  }
}
