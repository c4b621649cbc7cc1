import { excerpt, foreignText, shorten } from "@kto/core";
import { asksForNothing, snakeCase } from "@kto/core/config";
import { completeConfig, type LoraConfig, type LoraField } from "./config.js";
import { loraFields } from "./config-fields.js";
import { LoraConfigError } from "./errors.js";
import { sortedNames } from "./sorted-names.js";
import { constantFields, otherFields } from "./other-fields.js";

const supported = Object.keys(loraFields) as LoraField[];

/** Ways to start an adapter that leave the base weights alone: for one that is read, with its weights, they make no difference. */
const HARMLESS_INITS: ReadonlySet<unknown> = new Set(["eva", "orthogonal"]);

/**
 * The text of an `adapter_config.json` → LoraConfig. Fields it does not know are passed over, as newer peft versions do.
 *
 * Throws LoraConfigError, naming the field as the file spells it, for text that is no JSON object, another `peft_type`, values of the
 * wrong type, and fields in use that change the arithmetic and are not done here.
 */
export function parseAdapterConfig(text: string): LoraConfig {
  const operation = "parseAdapterConfig";
  const file = parseObject(text, operation);
  if (file["peft_type"] !== "LORA")
    throw new LoraConfigError(`${operation}: this is no LoRA adapter; expected peft_type "LORA", got ${excerpt(file["peft_type"])}`, {
      field: "peft_type",
    });
  for (const [field, other] of Object.entries(otherFields))
    if (other.fate === "refused" && !asksForNothing(other, file[field]))
      throw new LoraConfigError(
        `${operation}: ${field} is not supported (${other.why}); expected it off, got ${excerpt(file[field])}; merge such an adapter with peft first`,
        { field },
      );
  const values: Record<string, unknown> = Object.fromEntries(supported.map((field) => [field, file[snakeCase(field)]]));
  if (HARMLESS_INITS.has(values["initLoraWeights"])) values["initLoraWeights"] = true;
  return completeConfig(values, { operation, spell: snakeCase });
}

/**
 * LoraConfig → the text of an `adapter_config.json` with the fields of peft 0.14, which every later version reads.
 *
 * As peft writes it: keys sorted, two-space indent, no newline at the end, non-ASCII escaped, `inference_mode` true. Lists of names are
 * sorted; the patterns keep their order, because the first key that matches wins.
 */
export function formatAdapterConfig(config: LoraConfig): string {
  const fields: Record<string, unknown> = { ...constantFields };
  for (const field of supported) fields[snakeCase(field)] = config[field];
  for (const field of ["target_modules", "exclude_modules"]) {
    const names = fields[field];
    if (Array.isArray(names)) fields[field] = sortedNames(names as string[]);
  }
  const sorted = Object.fromEntries(sortedNames(Object.keys(fields)).map((field) => [field, fields[field]]));
  const text = JSON.stringify(sorted, null, 2);
  const pythonFloat = text.replace(/^( {2}"lora_dropout": \d+)(,?)$/m, "$1.0$2");
  return pythonFloat.replace(/[\u007f-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
}

function parseObject(text: string, operation: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    const got = foreignText(text) ?? shorten((cause as Error).message, 120);
    throw new LoraConfigError(`${operation}: the text is not JSON; got ${got}`, { cause });
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw new LoraConfigError(`${operation}: the text is not an object; expected adapter_config.json, got ${excerpt(value)}`);
  return value as Record<string, unknown>;
}
