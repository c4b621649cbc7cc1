import { excerpt } from "@kto/core";
import { checkFields, libraryText, type Values } from "@kto/core/config";
import { loraFields } from "./config-fields.js";
import { LoraConfigError } from "./errors.js";
import { otherFields } from "./other-fields.js";

/** Everything this package reads from, and writes to, `adapter_config.json`; peft's names in camelCase. What each means stands in `loraFields`. */
export interface LoraConfig extends Values<typeof loraFields> {}

/** Name of a field of LoraConfig. */
export type LoraField = keyof typeof loraFields;

/**
 * A complete LoraConfig: the given fields over peft's defaults.
 *
 * Throws LoraConfigError for an unknown field (naming the nearest), a value of the wrong type or range, and fields of peft that
 * change the arithmetic and are not done here (`useDora`, `modulesToSave`, …) unless they are off.
 */
export function loraConfig(options: Partial<LoraConfig> = {}): LoraConfig {
  return completeConfig(options, { operation: "loraConfig", spell: (field) => field });
}

/** How an error names the operation and a field: camelCase for code, snake_case for files. */
export interface ConfigSource {
  operation: string;
  spell(field: LoraField): string;
}

/** Defaults, types, ranges and what must agree, for values keyed in camelCase; undefined and null mean the default. */
export function completeConfig(given: Readonly<Record<string, unknown>>, source: ConfigSource): LoraConfig {
  const { operation } = source;
  const isGiven = ([field, value]: [string, unknown]): boolean =>
    (value !== null && value !== undefined) || !Object.hasOwn(loraFields, field);
  const values = new Map(Object.entries(given).filter(isGiven));
  const places = new Map(Object.keys(loraFields).map((field) => [field, source.spell(field as LoraField)]));
  const checked = checkFields(loraFields, { values, places }, { spelling: "code", others: otherFields });
  for (const mistake of checked.mistakes) {
    const text =
      mistake.kind === "refused"
        ? `${operation}: ${mistake.place} is not supported (${mistake.why}); expected it unset, got ${excerpt(mistake.got)}; use peft for such an adapter`
        : libraryText(operation, mistake, Object.keys(loraFields));
    throw new LoraConfigError(text, { field: mistake.place });
  }
  expectLayersAgree(checked.values, source);
  return checked.values;
}

function expectLayersAgree({ targetModules, layersToTransform, layersPattern }: LoraConfig, { operation, spell }: ConfigSource): void {
  if (typeof targetModules === "string" && (layersToTransform !== null || layersPattern !== null))
    throw new LoraConfigError(
      `${operation}: ${spell("layersToTransform")} and ${spell("layersPattern")} need ${spell("targetModules")} to be a list; got ${excerpt(targetModules)}; list the modules, or say the layers in the expression`,
      { field: spell("layersToTransform") },
    );
  if (layersPattern !== null && layersToTransform === null)
    throw new LoraConfigError(
      `${operation}: ${spell("layersPattern")} needs ${spell("layersToTransform")}; got none; say which layers, or drop the pattern`,
      { field: spell("layersPattern") },
    );
}
