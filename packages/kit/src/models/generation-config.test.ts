import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openModel } from "../index.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kto-model-"));
  for (const name of ["config.json", "model.safetensors"]) cpSync(fixturePath("model", name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("generation_config.json comes with the model, as it stands there", async () => {
  const { generationConfig } = await openModel(fixturePath("model"));
  expect(generationConfig).toEqual(JSON.parse(readFileSync(fixturePath("model/generation_config.json"), "utf8")));
  expect((await openModel(folder)).generationConfig).toBeUndefined();
  writeFileSync(join(folder, "generation_config.json"), '{"temperature": 1.0, "2": 3, "eos_token_id": [1, 2]}');
  expect((await openModel(folder)).generationConfig).toEqual({ temperature: 1, "2": 3, eos_token_id: [1, 2] });
});

it.each([
  ["[1]", "model: FILE cannot be read; expected a map of settings, got [1]; mend it, or remove it"],
  ["", "model: FILE cannot be read; expected JSON, got an empty file; download it again"],
  ["<!doctype html>", "model: FILE cannot be read; expected JSON, got a page of HTML"],
  [
    '{"eos_token_id": 488,',
    "model: line 1 of FILE is not JSON; expected a key in double quotes at column 22, got the end of the text; mend it, or remove it",
  ],
])("one that holds %s is refused", async (text, says) => {
  writeFileSync(join(folder, "generation_config.json"), text);
  await expect(openModel(folder)).rejects.toThrow(says.replace("FILE", join(folder, "generation_config.json")));
});
