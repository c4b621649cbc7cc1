import { TemplateError } from "@kto/chat-templates";
import { malformed } from "./errors.js";
import { FILE_NAMES, isObject, type JsonObject, TEMPLATE_FOLDER, toText } from "./files.js";

/** The texts of the files that hold nothing but a template. */
export interface TemplateTexts {
  chatTemplate?: Uint8Array | string | undefined;
  additionalChatTemplates?: Readonly<Record<string, Uint8Array | string>> | undefined;
}

/**
 * The chat templates of a model by name, as transformers 5.24: `chat_template.jinja` (`default`) and the files of `additional_chat_templates` where there is
 * one of them, else `chat_template` of `tokenizer_config.json`: a text, a list of `{name, template}`, or an object of texts by name. Throws `TokenizerError`.
 */
export function readChatTemplates(config: JsonObject, { chatTemplate, additionalChatTemplates }: TemplateTexts): Map<string, string> {
  const templates = new Map<string, string>();
  if (chatTemplate !== undefined) templates.set("default", templateText(FILE_NAMES.chatTemplate, chatTemplate));
  for (const [name, text] of Object.entries(textsByName(additionalChatTemplates)))
    templates.set(name, templateText(`${TEMPLATE_FOLDER}/${name}.jinja`, text));
  return templates.size > 0 ? templates : templatesOfConfig(config["chat_template"]);
}

function textsByName(given: unknown): Record<string, unknown> {
  if (given === undefined || given === null) return {};
  if (!isObject(given)) throw malformed(TEMPLATE_FOLDER, "the content", "texts by name", given);
  return given;
}

function templateText(file: string, content: unknown): string {
  if (typeof content !== "string" && !(content instanceof Uint8Array)) throw malformed(file, "the content", "text or bytes", content);
  return toText(file, content);
}

function templatesOfConfig(given: unknown): Map<string, string> {
  const file = FILE_NAMES.tokenizerConfig;
  if (given === undefined || given === null) return new Map();
  if (typeof given === "string") return new Map([["default", given]]);
  const expected = "a text, a list of {name, template} or an object of texts by name";
  const listed: [unknown, unknown, unknown][] = Array.isArray(given)
    ? given.map((item: unknown) => (isObject(item) ? [item["name"], item["template"], item] : [undefined, undefined, item]))
    : isObject(given)
      ? Object.entries(given).map(([name, template]) => [name, template, given])
      : [[undefined, undefined, given]];
  return new Map(
    listed.map(([name, template, item]) => {
      if (typeof name !== "string" || typeof template !== "string") throw malformed(file, "chat_template", expected, item);
      return [name, template];
    }),
  );
}

/** The template that a conversation is rendered with. */
export interface ChosenTemplate {
  text: string;
  /** Whose it is: given by the caller, the model's, or the one that stands in for a model without. */
  source: "given" | "model" | "stand-in";
  /** Its name among those of the model; null for one that is not the model's. */
  name: string | null;
  /** Names of the model's templates that were not taken. */
  others: string[];
}

/**
 * The template to use, as transformers: one given by the caller or named by him, else with tools the model's `tool_use`, else its `default`.
 * Throws `TemplateError` (`ValueError`) for a model of several templates without one of these; undefined for a model without any.
 */
export function selectChatTemplate(
  templates: ReadonlyMap<string, string>,
  { given, withTools }: { given?: string | undefined; withTools: boolean },
): ChosenTemplate | undefined {
  const chosen = (name: string): ChosenTemplate => ({
    text: templates.get(name)!,
    source: "model",
    name,
    others: [...templates.keys()].filter((other) => other !== name),
  });
  if (given !== undefined)
    return templates.has(given) ? chosen(given) : { text: given, source: "given", name: null, others: [...templates.keys()] };
  if (templates.size === 0) return undefined;
  if (withTools && templates.has("tool_use")) return chosen("tool_use");
  if (templates.has("default")) return chosen("default");
  throw new TemplateError("applyChatTemplate", {
    errorType: "ValueError",
    reason: `This model has multiple chat templates with no default specified! Please either pass a chat template or the name of the template you wish to use to the \`chat_template\` argument. Available template names are [${[...templates.keys()].sort().join(", ")}].`,
  });
}
