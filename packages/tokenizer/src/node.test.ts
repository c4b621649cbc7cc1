import { cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, it } from "vitest";
import { TokenizerError } from "./index.js";
import { loadTokenizer } from "./node.js";

const fixture = (name: string): string => fileURLToPath(new URL(`../../testing/fixtures/${name}`, import.meta.url));

it("loads the same template from the config and from chat_template.jinja", async () => {
  const [inConfig, inFile] = await Promise.all([loadTokenizer(fixture("model")), loadTokenizer(fixture("model-sharded"))]);
  expect(inFile.chatTemplate).toBe(inConfig.chatTemplate);
  expect([...inFile.files().keys()]).toContain("chat_template.jinja");
  expect(inConfig.eosTokenIds).toEqual([488]);
});

it("writes files that load to the same tokenizer", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kto-tokenizer-"));
  const tokenizer = await loadTokenizer(fixture("model-sharded"));
  for (const [name, content] of tokenizer.files()) await writeFile(join(directory, name), content);
  const again = await loadTokenizer(directory);
  expect(again.encode("Hello <think>")).toEqual(tokenizer.encode("Hello <think>"));
  expect(again.chatTemplate).toBe(tokenizer.chatTemplate);
  await rm(directory, { recursive: true });
});

it("finds templates in the folder of templates, and added_tokens.json, and gives them back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kto-tokenizer-"));
  await cp(fixture("model"), directory, { recursive: true });
  await mkdir(join(directory, "additional_chat_templates"));
  await writeFile(join(directory, "additional_chat_templates", "mine.jinja"), "MINE");
  await writeFile(join(directory, "chat_template.jinja"), "DEFAULT");
  await writeFile(join(directory, "added_tokens.json"), '{"<late>": 500}');
  const tokenizer = await loadTokenizer(directory);
  expect([...tokenizer.chatTemplates]).toEqual([
    ["default", "DEFAULT"],
    ["mine", "MINE"],
  ]);
  expect(tokenizer.encode("<late>", { addSpecialTokens: false })).toEqual([500]);
  expect([...tokenizer.files().keys()]).toEqual([
    "tokenizer.json",
    "tokenizer_config.json",
    "added_tokens.json",
    "chat_template.jinja",
    "additional_chat_templates/mine.jinja",
  ]);
  await rm(directory, { recursive: true });
});

it("says which file is missing, and where", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kto-tokenizer-"));
  await expect(loadTokenizer(directory)).rejects.toThrow(`loadTokenizer: ${directory} has no tokenizer.json`);
  await expect(loadTokenizer(directory)).rejects.toMatchObject({ file: "tokenizer.json", directory });
  await expect(loadTokenizer(join(directory, "nowhere"))).rejects.toBeInstanceOf(TokenizerError);
  await writeFile(join(directory, "tokenizer.json"), "{ truncated");
  await expect(loadTokenizer(directory)).rejects.toThrow("tokenizer.json is not valid JSON");
  await rm(directory, { recursive: true });
});
