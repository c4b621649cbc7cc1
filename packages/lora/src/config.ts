import { LoraConfigError } from "./errors.js";
import { fieldRules, type FieldRule } from "./config-fields.js";
import { nearestName } from "./nearest-name.js";
import { inertFields, isOff, refusedFields } from "./other-fields.js";

/** Everything this package reads from, and writes to, `adapter_config.json`; peft's names in camelCase. */
export interface LoraConfig {
  /** Rank: A is [r, in], B is [out, r]. */
  r: number;
  /** The branch is scaled by loraAlpha / r; see `useRslora`. */
  loraAlpha: number;
  /** Dropout on the input of the LoRA branch, 0 ≤ p < 1, in training only. */
  loraDropout: number;
  /** Scale by loraAlpha / √r instead. */
  useRslora: boolean;
  /** A list of names or dotted suffixes, a Python regular expression over whole names, "all-linear", or null for the model type's default. */
  targetModules: string | readonly string[] | null;
  /** Same syntax; what it matches is left alone. */
  excludeModules: string | readonly string[] | null;
  /** Numbers of the layers to adapt; null for all. Only with a list of `targetModules`. */
  layersToTransform: number | readonly number[] | null;
  /** Name of the list of layers that `layersToTransform` counts; null for any. */
  layersPattern: string | readonly string[] | null;
  /** r of modules whose name matches a key; the first key that matches wins. */
  rankPattern: Readonly<Record<string, number>>;
  /** loraAlpha of modules whose name matches a key; the first key that matches wins. */
  alphaPattern: Readonly<Record<string, number>>;
  /** true: A uniform on ±1/√in, B zero. "gaussian": A normal with deviation 1/r, B zero. false: both random, a test aid. */
  initLoraWeights: boolean | "gaussian";
  bias: "none";
  /** Written to the file for peft to find the base model. */
  baseModelNameOrPath: string | null;
  revision: string | null;
  /** peft's default is null; here the models are causal ones, and a named task lets peft's AutoModel open the adapter. */
  taskType: "CAUSAL_LM";
}

/**
 * A complete LoraConfig: the given fields over peft's defaults.
 *
 * Throws LoraConfigError for an unknown field (naming the nearest), a value of the wrong type or range, and fields of peft that
 * change the arithmetic and are not done here (`useDora`, `modulesToSave`, …) unless they are off.
 */
export function loraConfig(options: Partial<LoraConfig> = {}): LoraConfig {
  const values: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(options)) {
    if (Object.hasOwn(fieldRules, field)) values[field] = value;
    else expectKnownAndOff(field, value);
  }
  return completeConfig(values, { operation: "loraConfig", spell: (field) => field });
}

/** How an error names the operation and a field: camelCase for code, snake_case for files. */
export interface ConfigSource {
  operation: string;
  spell(field: keyof LoraConfig): string;
}

/** Defaults, types, ranges and what must agree, for values keyed in camelCase; undefined and null mean the default. */
export function completeConfig(values: Readonly<Record<string, unknown>>, source: ConfigSource): LoraConfig {
  const complete = {} as Record<keyof LoraConfig, unknown>;
  for (const [field, rule] of Object.entries(fieldRules) as [keyof LoraConfig, FieldRule][]) {
    const value = values[field] ?? rule.initial;
    if (!rule.holds(value))
      throw new LoraConfigError(
        `${source.operation}: ${source.spell(field)} is not usable; expected ${rule.expected}, got ${JSON.stringify(value) ?? String(value)}`,
        { field: source.spell(field) },
      );
    complete[field] = value;
  }
  const config = complete as unknown as LoraConfig;
  expectLayersAgree(config, source);
  return config;
}

function expectLayersAgree({ targetModules, layersToTransform, layersPattern }: LoraConfig, { operation, spell }: ConfigSource): void {
  if (typeof targetModules === "string" && (layersToTransform !== null || layersPattern !== null))
    throw new LoraConfigError(
      `${operation}: ${spell("layersToTransform")} and ${spell("layersPattern")} need ${spell("targetModules")} to be a list; got "${targetModules}"; list the modules, or say the layers in the expression`,
      { field: spell("layersToTransform") },
    );
  if (layersPattern !== null && layersToTransform === null)
    throw new LoraConfigError(
      `${operation}: ${spell("layersPattern")} needs ${spell("layersToTransform")}; got none; say which layers, or drop the pattern`,
      { field: spell("layersPattern") },
    );
}

function expectKnownAndOff(field: string, value: unknown): void {
  const onDisk = field.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  if (Object.hasOwn(refusedFields, onDisk)) {
    if (isOff(value)) return;
    throw new LoraConfigError(
      `loraConfig: ${field} is not supported (${refusedFields[onDisk]!}); expected it unset, got ${JSON.stringify(value)}; use peft for such an adapter`,
      { field },
    );
  }
  if (inertFields.has(onDisk)) return;
  const nearest = nearestName(field, Object.keys(fieldRules));
  throw new LoraConfigError(
    `loraConfig: there is no field "${field}"; ${nearest === undefined ? `expected one of ${Object.keys(fieldRules).join(", ")}` : `did you mean ${nearest}?`}`,
    { field },
  );
}
