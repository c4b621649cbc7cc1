import * as z from "zod/mini";
import type { Field, Fields } from "./field.js";
import { diskName } from "./spelling.js";

/** A JSON schema, as data. */
export type JsonSchema = Record<string, unknown>;

/**
 * The JSON schema (draft 7) of a file that holds these fields, under every one of their names, each with its default and what it means. Other names
 * are an error but those of `more`. Required fields are not asked for: they may come from flags.
 */
export function jsonSchema(
  fields: Fields,
  { id, title, more = {} }: { id: string; title: string; more?: Record<string, JsonSchema> },
): JsonSchema {
  const properties: Record<string, JsonSchema> = {};
  const aliases: Record<string, JsonSchema> = {};
  for (const [key, declared] of Object.entries(fields)) {
    const name = diskName(key, declared);
    if (name === undefined) continue;
    properties[name] = fieldSchema(declared);
    for (const alias of declared.aliases ?? [])
      aliases[alias] = { ...properties[name], description: `another name of ${name}`, deprecated: true };
  }
  return {
    $schema: "http://json-schema.org/draft-07/schema#",
    $id: id,
    title,
    type: "object",
    additionalProperties: false,
    properties: { ...properties, ...aliases, ...more },
  };
}

function fieldSchema({ schema, given, initial, help, notes }: Field<unknown>): JsonSchema {
  const {
    $schema: _dialect,
    default: _default,
    description: _description,
    ...type
  } = z.toJSONSchema(given ?? schema, { target: "draft-7" });
  return { description: notes === undefined ? help : `${help}; ${notes}`, ...type, ...(initial === undefined ? {} : { default: initial }) };
}
