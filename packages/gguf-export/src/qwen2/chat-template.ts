import { excerpt } from "@kto/core";
import type { MetadataValue } from "../container/metadata.js";
import { fieldsOf } from "../json-fields.js";
import { tokenizerError } from "./vocabulary.js";

/**
 * The chat template of a model from the three places where it may be: tokenizer_config.json, chat_template.jinja, chat_template.json, the first that has one.
 * Of a list of named ones `default` is the model's; the others get keys of their own. Nothing where there is none.
 */
export function chatTemplateMetadata(ofConfig: unknown, jinja: string | undefined, ofJson: unknown): [string, MetadataValue][] {
  const given = typeof ofConfig === "string" || Array.isArray(ofConfig) ? ofConfig : (jinja ?? ofJson);
  const text = (value: string): MetadataValue => ({ type: "string", value });
  if (given === undefined || given === null || given === "") return [];
  if (typeof given === "string") return [["tokenizer.chat_template", text(given)]];
  if (!Array.isArray(given))
    throw tokenizerError(`chat_template is not usable; expected a text or a list of named ones, got ${excerpt(given)}`);
  const templates = given.map((entry: unknown, index) => {
    const { name, template } = fieldsOf(entry);
    if (typeof name === "string" && name !== "" && typeof template === "string") return { name, template };
    throw tokenizerError(`chat template ${index} is not usable; expected { name, template }, got ${excerpt(entry)}`);
  });
  const others = templates.filter(({ name }) => name !== "default");
  const main = templates.find(({ name }) => name === "default");
  return [
    ...(others.length > 0
      ? [["tokenizer.chat_templates", { type: "array", of: "string", value: others.map(({ name }) => name) }] as [string, MetadataValue]]
      : []),
    ...others.map(({ name, template }): [string, MetadataValue] => [
      `tokenizer.chat_template.${name.replaceAll(/[^A-Za-z0-9]/g, "_")}`,
      text(template),
    ]),
    ...(main ? [["tokenizer.chat_template", text(main.template)] as [string, MetadataValue]] : []),
  ];
}
