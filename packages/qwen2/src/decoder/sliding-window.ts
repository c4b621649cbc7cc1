import { excerpt } from "@kto/core";

/** What reading `layer_types` needs of the rest of a config.json. */
export interface LayerTypesContext {
  numHiddenLayers: number;
  /** Throws FormatError with this text behind the name of the file. */
  fail(what: string): never;
}

/**
 * The sliding window of a config.json's layers, in tokens; undefined where it applies to none: `use_sliding_window` false or missing, `sliding_window` null,
 * `max_window_layers` past the last layer, `layer_types` all full. Reads as transformers' Qwen2Config does.
 */
export function readSlidingWindow(fields: Readonly<Record<string, unknown>>, context: LayerTypesContext): number | undefined {
  const { fail } = context;
  const isUsed = fields.use_sliding_window ?? false;
  if (typeof isUsed !== "boolean") fail(`use_sliding_window is not usable; expected true or false, got ${excerpt(isUsed)}`);
  const window = isUsed ? (fields.sliding_window === undefined ? 4096 : fields.sliding_window) : null;
  if (!hasSlidingLayer(fields, window !== null, context)) return undefined;
  if (window === null)
    fail(
      `layer_types has layers without full attention and there is no window; expected use_sliding_window true and a sliding_window, got ${excerpt(fields.layer_types)}`,
    );
  if (!Number.isInteger(window) || (window as number) < 1)
    fail(`sliding_window is not usable; expected an integer of at least 1, got ${excerpt(window)}`);
  return window as number;
}

function hasSlidingLayer(
  fields: Readonly<Record<string, unknown>>,
  hasWindow: boolean,
  { numHiddenLayers, fail }: LayerTypesContext,
): boolean {
  const types = fields.layer_types ?? undefined;
  if (types === undefined) {
    const first = fields.max_window_layers ?? 28;
    if (!Number.isInteger(first)) fail(`max_window_layers is not usable; expected an integer, got ${excerpt(first)}`);
    return hasWindow && (first as number) < numHiddenLayers;
  }
  if (!Array.isArray(types) || types.length !== numHiddenLayers)
    fail(`layer_types is not usable; expected a list of ${numHiddenLayers}, one for each layer, got ${excerpt(types)}`);
  const list = types as unknown[];
  const other = list.find((type) => type !== "full_attention" && type !== "sliding_attention");
  if (other !== undefined || list.includes(undefined))
    fail(`layer_types has a layer of a kind that Qwen2 has not; expected "full_attention" or "sliding_attention", got ${excerpt(other)}`);
  return list.includes("sliding_attention");
}
