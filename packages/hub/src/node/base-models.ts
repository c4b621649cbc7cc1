import { HubError } from "../errors.js";
import { hub } from "./hub.js";
import type { CacheOptions } from "./options.js";

/** The models that a model says it was made from: `base_model` in the YAML head of its card. None where there is no card, or it cannot be had. */
export async function baseModels(id: string, options: CacheOptions): Promise<string[]> {
  let card: string;
  try {
    const source = await hub(id, options).open("README.md");
    if (!source) return [];
    try {
      card = new TextDecoder().decode(await source.slice(0, source.byteLength));
    } finally {
      await source.dispose?.();
    }
  } catch (error) {
    if (error instanceof HubError) return [];
    throw error;
  }
  return readBaseModels(card);
}

/** `base_model: owner/name`, or a list of them in either of YAML's spellings. */
export function readBaseModels(card: string): string[] {
  const head = /^---\r?\n(.*?)\r?\n---(?:\r?\n|$)/s.exec(card)?.[1];
  const [, inline = "", block = ""] = /^base_model:[ \t]*([^\n]*)\n?((?:[ \t]*-[^\n]*\n?)*)/m.exec(head ?? "") ?? [];
  const items =
    inline.trim() === "" ? block.split("\n").map((line) => line.replace(/^[ \t]*-/, "")) : inline.replace(/^\[|\]\s*$/g, "").split(",");
  return items.map((item) => item.trim().replace(/^(["'])(.*)\1$/, "$2")).filter((item) => item !== "");
}
