import { excerpt, FormatError } from "@kto/core";
import { type Fields, fieldsOf } from "../json-fields.js";

/** What an adapter's config says of how it acts. */
export interface AdapterScale {
  /** `adapter.lora.alpha`: llama.cpp scales each product by it over the rank. */
  readonly alpha: number;
  /** What B of a layer is multiplied with, so that the scale of the file is that of the layer. 1 but where a pattern gives it another alpha. */
  factorOf(path: string, r: number): number;
}

/**
 * The one alpha of a GGUF file for an adapter of peft: `lora_alpha`, times √r where it is rank-stabilised. What a layer's own alpha or rank makes of its scale goes into its B.
 *
 *   alpha / r · factor = loraAlpha / r  (rsLoRA: / √r)
 *
 * @param config  adapter_config.json
 * @throws FormatError for numbers that are none, and for keys of `alpha_pattern` that are expressions
 */
export function adapterScale(config: Fields): AdapterScale {
  const isStabilised = config["use_rslora"] === true;
  const r = positive("r", config["r"]);
  const loraAlpha = positive("lora_alpha", config["lora_alpha"]);
  const alphas = Object.entries(fieldsOf(config["alpha_pattern"])).map(([key, value]) => ({
    matches: matcherOf(key),
    value: positive(`alpha_pattern of ${excerpt(key)}`, value),
  }));
  const alpha = isStabilised ? loraAlpha * Math.sqrt(r) : loraAlpha;
  return {
    alpha: Math.fround(alpha),
    factorOf(path, ofLayer) {
      const own = alphas.find(({ matches }) => matches(path))?.value ?? loraAlpha;
      return isStabilised ? (own / loraAlpha) * Math.sqrt(ofLayer / r) : own / loraAlpha;
    },
  };
}

/** As peft matches keys of patterns: the end of a path at a dot, all of it with `^` before. */
function matcherOf(key: string): (path: string) => boolean {
  const plain = key.replace(/^\^/, "").replaceAll("\\.", ".");
  if (!/^[\w.-]+$/.test(plain))
    throw new FormatError(
      `exportGgufAdapter: a key of alpha_pattern is an expression; expected the end of a layer's path, got ${excerpt(key)}; merge the adapter, or spell the layers out`,
      { source: "adapter_config.json" },
    );
  return key.startsWith("^") ? (path) => path === plain : (path) => path === plain || path.endsWith(`.${plain}`);
}

function positive(name: string, value: unknown): number {
  if (typeof value === "number" && Number.isFinite(value) && value > 0) return value;
  throw new FormatError(
    `exportGgufAdapter: adapter_config.json: ${name} is not usable; expected a number above 0, got ${excerpt(value ?? null)}; llama.cpp takes an alpha of 0 for none`,
    { source: "adapter_config.json" },
  );
}
