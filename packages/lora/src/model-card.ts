import type { LoraConfig } from "./config.js";
import { sortedNames } from "./sorted-names.js";

/**
 * The README.md beside an adapter: the header the hub reads, and how to load it.
 *
 * @param tags  more tags than `lora`, `transformers` and the base model's
 */
export function adapterModelCard(config: LoraConfig, tags: readonly string[] = []): string {
  const base = config.baseModelNameOrPath;
  const allTags = sortedNames([...(base === null ? [] : [`base_model:adapter:${base}`]), "lora", "transformers", ...tags]);
  const header = [
    "---",
    ...(base === null ? [] : [`base_model: ${yamlString(base)}`]),
    "library_name: peft",
    "pipeline_tag: text-generation",
    "tags:",
    ...allTags.map((tag) => `- ${yamlString(tag)}`),
    "---",
  ];
  const settings: readonly (readonly [string, unknown])[] = [
    ["r", config.r],
    ["lora_alpha", config.loraAlpha],
    ["use_rslora", config.useRslora],
    ["target_modules", [config.targetModules ?? []].flat().join(", ")],
  ];
  const name = JSON.stringify(base ?? "path/to/the/base/model");
  return sealCard(
    [
      ...header,
      "",
      `# LoRA adapter${base === null ? "" : ` for ${base}`}`,
      "",
      "| setting | value |",
      "| --- | --- |",
      ...settings.map(([field, value]) => `| ${field} | ${String(value).replaceAll("|", "\\|")} |`),
      "",
      "The files are in PEFT's format:",
      "",
      "```python",
      "from peft import PeftModel",
      "from transformers import AutoModelForCausalLM",
      "",
      `model = AutoModelForCausalLM.from_pretrained(${name})`,
      'model = PeftModel.from_pretrained(model, "path/to/this/folder")',
      "```",
      "",
    ].join("\n"),
  );
}

const SEAL = /\n<!-- Made by kto\. Change it as you like: a card that was changed is not replaced\. ([0-9a-f]{8}) -->\n?$/;

/** A card with a last line by which {@link isUntouchedCard} knows it again. */
export function sealCard(card: string): string {
  return `${card}\n<!-- Made by kto. Change it as you like: a card that was changed is not replaced. ${checksum(card)} -->\n`;
}

/** True for a card that {@link sealCard} closed and nobody changed since; line ends do not count. */
export function isUntouchedCard(card: string): boolean {
  const text = card.replaceAll("\r\n", "\n");
  const seal = SEAL.exec(text);
  return seal !== null && seal[1] === checksum(text.slice(0, seal.index));
}

/** FNV-1a over UTF-16 units: tells a change by hand, and guards nothing. */
function checksum(text: string): string {
  let hash = 0x811c9dc5;
  for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
  return (hash >>> 0).toString(16).padStart(8, "0");
}

/** A YAML scalar: bare where that cannot be misread, else quoted as JSON is, which YAML reads. */
function yamlString(text: string): string {
  return /^[A-Za-z][\w./:-]*$/.test(text) && !/:$|^(?:true|false|null|yes|no|on|off|y|n)$/i.test(text) ? text : JSON.stringify(text);
}
