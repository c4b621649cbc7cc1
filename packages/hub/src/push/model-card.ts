import { readFile } from "node:fs/promises";
import { join } from "node:path";

/**
 * README.md for a folder without one: what library opens it, the base model of an adapter, and its name.
 * A folder with `adapter_config.json` is peft's, one with `config.json` a model of transformers.
 */
export async function defaultCard(folder: string, repo: string): Promise<string> {
  const adapter = await readJson(join(folder, "adapter_config.json"));
  const model = adapter ? undefined : await readJson(join(folder, "config.json"));
  const base = adapter?.["base_model_name_or_path"];
  const head: string[] = [];
  if (typeof base === "string" && /^[\w.-]+\/[\w.-]+$/.test(base)) head.push(`base_model: ${base}`);
  if (adapter) head.push("library_name: peft");
  else if (model) head.push("library_name: transformers");
  const text = `# ${repo.split("/").at(-1)}\n`;
  return head.length === 0 ? text : `---\n${head.join("\n")}\n---\n\n${text}`;
}

/** The object in a JSON file; undefined when there is none. */
async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, "utf8"));
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined; // missing or unreadable: then the card does not speak of it
  }
}
