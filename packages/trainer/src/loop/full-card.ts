import { sealCard } from "@kto/lora";

/** A model card for the hub, of a model all of whose weights were trained: what it was made from, and how to load it. Says nothing about time or place. */
export function fullModelCard(name: string | undefined, tags: readonly string[]): string {
  return sealCard(
    [
      "---",
      ...(name === undefined ? [] : [`base_model: ${JSON.stringify(name)}`, "base_model_relation: finetune"]),
      "library_name: transformers",
      "pipeline_tag: text-generation",
      "tags:",
      ...[...new Set(tags)].sort().map((tag) => `- ${tag}`),
      "---",
      "",
      `# Model made from ${name === undefined ? "an unnamed model" : `\`${name.replaceAll("`", "")}\``}`,
      "",
      "Every weight was trained, and all of them are here, in float32 as they were trained:",
      "",
      "```python",
      "from transformers import AutoModelForCausalLM, AutoTokenizer",
      "",
      'model = AutoModelForCausalLM.from_pretrained("path/to/this/folder")',
      'tokenizer = AutoTokenizer.from_pretrained("path/to/this/folder")',
      "```",
      "",
    ].join("\n"),
  );
}
