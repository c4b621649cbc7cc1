import { isSkipped, readQuantizationConfig } from "@kto/nf4";
import type { QuantizeOnLoad } from "./load-weights.js";
import type { WeightSpec } from "./weight-specs.js";

/** Layers of a sketch: one with every linear layer in four bits, where there are such, and one with those in full that any layer has so. */
export const layersOfSketch = 2;

/**
 * What of a sketch is in four bits: as the parsed config.json says of its file, else as it was asked for.
 *
 * @param specs  weights of the whole model
 */
export function quantizationOfSketch(
  json: unknown,
  source: string,
  { specs, asked }: { specs: readonly WeightSpec[]; asked: QuantizeOnLoad | undefined },
): QuantizeOnLoad | undefined {
  const written = readQuantizationConfig(json, source);
  if (!written) return asked;
  const { bnb4bitUseDoubleQuant, llmInt8SkipModules } = written;
  const skipped = specs.flatMap(({ linear }) => (linear !== undefined && isSkipped(linear, llmInt8SkipModules) ? [linear] : []));
  const inLastLayer = skipped.map((path) => path.replace(/\.\d+\./, `.${layersOfSketch - 1}.`));
  return { loadIn4bit: true, bnb4bitUseDoubleQuant, llmInt8SkipModules: [...new Set(inLastLayer)] };
}
