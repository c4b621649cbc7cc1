import { parseRepoId } from "./repo-id.js";

/** Names of checkpoints that are quantised already. */
const QUANTISED = /(?:^|[-_.])(?:bnb|4bit|8bit|int4|int8|awq|gptq|gguf|fp8|mlx|exl2)(?:$|[-_.])/i;

/**
 * Repositories that may hold a 16-bit model in four bits (bitsandbytes NF4), the best first; empty for one that is quantised by its name.
 * Pure: whether one exists, only the hub can tell. Nothing maps a name without being asked to.
 *
 *   deepseek-ai/DeepSeek-R1-Distill-Qwen-1.5B → unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit, unsloth/DeepSeek-R1-Distill-Qwen-1.5B-bnb-4bit
 *
 * @throws HubError when `repo` is not the name of a repository
 */
export function fourBitSibling(repo: string): string[] {
  const name = parseRepoId(repo).repo.split("/").at(-1)!;
  return QUANTISED.test(name) ? [] : [`unsloth/${name}-unsloth-bnb-4bit`, `unsloth/${name}-bnb-4bit`];
}
