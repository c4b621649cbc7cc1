import { jsonSchema, type JsonSchema } from "@kto/core/config";
import { methods } from "../methods/index.js";
import { otherFields } from "./other-fields.js";
import { fieldsOf } from "./train-fields.js";

/** Where the schema is published: editors find it by this name. */
const facts = { id: "https://unpkg.com/@kto/trainer/kto.schema.json", title: "kto.yaml, a run of kto train" };

type Properties = Record<string, JsonSchema>;

/**
 * The JSON schema of kto.yaml: every field that `kto train` takes, under every one of its names, those without effect, and those of which only the
 * values are taken that ask for nothing. What `resolved_config.yaml` records beside them is allowed. With a `method` only its own fields are, in its own way.
 */
export function ktoYamlSchema(): JsonSchema {
  const ofMethods = methods.map((method) => ({ name: method.name, properties: propertiesOf(jsonSchema(fieldsOf(method), facts)) }));
  const others = otherProperties();
  const ways = new Map<string, JsonSchema[]>();
  for (const { properties } of ofMethods)
    for (const [name, schema] of Object.entries(properties)) ways.set(name, distinct([...(ways.get(name) ?? []), schema]));
  const fields = Array.from(ways, ([name, schemas]): [string, JsonSchema] => [
    name,
    schemas.length === 1 ? schemas[0]! : { anyOf: schemas },
  ]);
  const branches = ofMethods.map(({ name, properties }, index) => ({
    // A config that names no method is one of the first.
    if: { type: "object", properties: { method: { const: name } }, ...(index > 0 && { required: ["method"] }) },
    then: { type: "object", properties: ownProperties(properties, ways, others) },
  }));
  return {
    ...jsonSchema({}, facts),
    properties: { ...others, ...Object.fromEntries(fields), versions: { type: "object" }, commits: { type: "object" } },
    allOf: branches,
  };
}

/** What one method takes otherwise than another: its own way of a field, and of a field that it has not nothing, or what asks for nothing. */
function ownProperties(
  properties: Properties,
  ways: ReadonlyMap<string, readonly JsonSchema[]>,
  others: Properties,
): Record<string, unknown> {
  const own = [...ways].flatMap(([name, schemas]): [string, unknown][] => {
    if (!Object.hasOwn(properties, name)) return [[name, others[name] ?? false]];
    return schemas.length === 1 ? [] : [[name, properties[name]!]];
  });
  return Object.fromEntries(own);
}

/** Fields of trl, peft and transformers that are none here. */
function otherProperties(): Properties {
  const others = Object.entries(otherFields).map(([name, { fate, why, off }]): [string, JsonSchema] => [
    name,
    fate === "ignored"
      ? { description: why === undefined ? "no effect here" : `no effect here: ${why}`, deprecated: true }
      : { description: "refused but for these values", enum: [null, ...off], deprecated: true },
  ]);
  return Object.fromEntries(others);
}

function propertiesOf({ properties }: JsonSchema): Properties {
  return properties as Properties;
}

function distinct(schemas: readonly JsonSchema[]): JsonSchema[] {
  return [...new Map(schemas.map((schema) => [JSON.stringify(schema), schema])).values()];
}
