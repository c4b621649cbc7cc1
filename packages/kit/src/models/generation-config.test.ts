import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fixturePath } from "@kto/testing";
import { afterEach, beforeEach, expect, it } from "vitest";
import { openModel } from "../index.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kto-model-"));
  for (const name of ["config.json", "model.safetensors"]) cpSync(fixturePath("model", name), join(folder, name));
});
afterEach(() => rmSync(folder, { recursive: true }));

it("generation_config.json comes with the model", async () => {
  expect((await openModel(fixturePath("model"))).generationConfig).toMatchObject({ do_sample: true, temperature: 0.6, top_p: 0.95 });
  expect((await openModel(folder)).generationConfig).toBeUndefined();
});

it.each([
  ["[1]", "expected a map of settings, got [1]; mend it, or remove it"],
  ["{", "expected JSON, got "],
])("one that holds %s is refused", async (text, says) => {
  writeFileSync(join(folder, "generation_config.json"), text);
  await expect(openModel(folder)).rejects.toThrow(`model: ${join(folder, "generation_config.json")} cannot be read; ${says}`);
});
