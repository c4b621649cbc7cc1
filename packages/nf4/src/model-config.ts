import { writeQuantizationConfig, type QuantizationConfig } from "./quantization-config.js";

/**
 * The text of the config.json of a four-bit model: the fields of `config` and `quantization_config`, sorted and indented as transformers does. It refuses
 * an `llm_int8_threshold` that is spelt as a whole number, the only way that `JSON.stringify` spells 6.0.
 */
export function formatModelConfig(config: Readonly<Record<string, unknown>>, quantization: QuantizationConfig): string {
  const fields = { ...config, quantization_config: writeQuantizationConfig(quantization) };
  const sorted = Object.fromEntries(Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2).replace(/("llm_int8_threshold": \d+)(?=,\n)/, "$1.0")}\n`;
}
