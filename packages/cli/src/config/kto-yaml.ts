import { jsonSchema, type JsonSchema } from "@kto/core/config";
import { otherFields } from "./other-fields.js";
import { trainFields } from "./train-fields.js";

/** Where the schema is published: editors find it by this name. */
const schemaId = "https://unpkg.com/@kto/trainer/kto.schema.json";

/**
 * The JSON schema of kto.yaml: every field that `kto train` takes, under every one of its names, those without effect, and those of which only the
 * values are taken that ask for nothing. What `resolved_config.yaml` records beside them is allowed.
 */
export function ktoYamlSchema(): JsonSchema {
  const others = Object.entries(otherFields).map(([name, { fate, why, off }]): [string, JsonSchema] => [
    name,
    fate === "ignored"
      ? { description: why === undefined ? "no effect here" : `no effect here: ${why}`, deprecated: true }
      : { description: "refused but for these values", enum: [null, ...off], deprecated: true },
  ]);
  const more = { ...Object.fromEntries(others), versions: { type: "object" }, commits: { type: "object" } };
  return jsonSchema(trainFields, { id: schemaId, title: "kto.yaml, a run of kto train", more });
}
