import { FormatError, shorten } from "@kto/core";

/** The most YAML that is read: heads of data cards with a thousand configurations are below a megabyte, and so much takes a second. */
export const MAX_YAML_LENGTH: number = 4 * 2 ** 20;

/** What a YAML text is part of, for messages. */
export interface YamlPlace {
  /** The file. */
  name: string;
  /** The part of it: `the head of README.md`; default: the file itself. */
  part?: string;
  /** The line of the file that the text begins with, counted from 1. */
  firstLine?: number;
}

/**
 * The value of a YAML text: YAML 1.2 with merge keys (`<<`). Takes time in proportion to the text, whatever it holds; aliases are one object. An empty text
 * is undefined. Throws `FormatError` that names the file and line for what is not YAML, nests deeper than a hundred levels or is too long.
 */
export async function parseYaml(text: string, { name, part = name, firstLine = 1 }: YamlPlace): Promise<unknown> {
  if (text.length > MAX_YAML_LENGTH) {
    throw new FormatError(
      `parseYaml: ${part} is too long; expected YAML of at most ${MAX_YAML_LENGTH} letters, got ${text.length}; shorten it`,
      { source: name },
    );
  }
  if (text.split("\n").every((line) => /^\s*(?:#.*|---\s*)?$/.test(line))) return undefined;
  const { load, CORE_SCHEMA, mergeTag, YAMLException } = await import("js-yaml"); // here, so that a page that reads files does without it
  try {
    return load(text, { schema: CORE_SCHEMA.withTags(mergeTag) });
  } catch (cause) {
    const line = cause instanceof YAMLException && cause.mark ? cause.mark.line + firstLine : undefined;
    const reason = cause instanceof YAMLException ? cause.reason : cause instanceof Error ? cause.message : "it cannot be read";
    throw new FormatError(
      `parseYaml: ${part} is not YAML; expected lines such as "key: value", got one of which the parser says "${shorten(reason, 120)}"${line === undefined ? "" : ` (line ${line})`}; mend it`,
      { source: name, cause, ...(line === undefined ? {} : { line }) },
    );
  }
}
