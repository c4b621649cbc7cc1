import type { GgufMetadata } from "../container/header-writer.js";
import type { GgufFileType } from "../file-types.js";

/** Where each kind of file goes: `out` itself for one, files in the folder `out` for several; `"."` is the folder of the store itself, for one kind too. */
export function outputPaths(out: string, types: readonly GgufFileType[], metadata: GgufMetadata): string[] {
  if (out === ".") return types.map((type) => ggufFileName(metadata, type));
  return types.length === 1 ? [out] : types.map((type) => `${out}/${ggufFileName(metadata, type)}`);
}

/** The name of a file as llama.cpp's converter makes it of what the file says of itself: `DeepSeek-R1-Distill-Qwen-1.5B-Q4_K_M.gguf`. */
export function ggufFileName(metadata: GgufMetadata, type: GgufFileType): string {
  const values = new Map(metadata);
  const text = (key: string): string | undefined => {
    const value = values.get(`general.${key}`)?.value;
    return typeof value === "string" ? value.trim() : undefined;
  };
  const parts = [text("basename") ?? text("name") ?? "model", text("size_label"), text("finetune"), text("version"), type];
  const name = parts.filter((part) => part !== undefined).join("-");
  return `${name.replaceAll(/[^\p{L}\p{N}._-]+/gu, "-").replace(/^[.-]+/, "")}.gguf`;
}
