import { TokenizerError } from "./errors.js";
import { FILE_NAMES, type JsonObject, toText } from "./files.js";

/**
 * The chat templates of a model by name: `chat_template.jinja` is `default`, else `chat_template` of `tokenizer_config.json`,
 * a text or a list of `{name, template}`. Throws `TokenizerError` for another shape.
 */
export function readChatTemplates(config: JsonObject, file: Uint8Array | string | undefined): Map<string, string> {
  const templates = new Map<string, string>();
  const listed = config["chat_template"];
  if (typeof listed === "string") {
    templates.set("default", listed);
  } else if (Array.isArray(listed)) {
    for (const { name, template } of listed as { name: string; template: string }[]) templates.set(name, template);
  } else if (listed !== undefined && listed !== null) {
    throw new TokenizerError(
      `Tokenizer.fromFiles: chat_template of ${FILE_NAMES.tokenizerConfig} is malformed; expected a text or a list of {name, template}, got ${typeof listed}`,
      { file: FILE_NAMES.tokenizerConfig },
    );
  }
  if (file !== undefined) templates.set("default", toText(file));
  return templates;
}

/**
 * The template to use: one named or given by the caller, else the model's; with tools, the model's `tool_use` template if it has one.
 */
export function selectChatTemplate(
  templates: ReadonlyMap<string, string>,
  given: string | undefined,
  current: string | null,
  withTools: boolean,
): string | null {
  if (given !== undefined) return templates.get(given) ?? given;
  return (withTools ? templates.get("tool_use") : undefined) ?? current;
}
