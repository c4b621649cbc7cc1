import { expect, it } from "vitest";
import { readBaseModels } from "./base-models.js";

it.each([
  ["---\nbase_model: Qwen/Qwen2-0.5B\ntags: [a]\n---\n# Card\n", ["Qwen/Qwen2-0.5B"]],
  ['---\nlicense: mit\nbase_model: "Qwen/Qwen2-0.5B"\n---\n', ["Qwen/Qwen2-0.5B"]],
  ["---\nbase_model:\n- Qwen/Qwen2-0.5B\n- 'other/model'\nlicense: mit\n---\n", ["Qwen/Qwen2-0.5B", "other/model"]],
  ["---\r\nbase_model:\r\n  - Qwen/Qwen2-0.5B\r\n---\r\n", ["Qwen/Qwen2-0.5B"]],
  ["---\nbase_model: [a/b, c/d]\n---", ["a/b", "c/d"]],
  ["---\nbase_model_relation: quantized\n---\n", []],
  ["# base_model: none\n", []],
  ["---\nlicense: mit\n---\nbase_model: in/text\n", []],
  ["", []],
])("reads the base models of %j", (card, expected) => {
  expect(readBaseModels(card)).toEqual(expected);
});
