import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { isKtoError } from "@kto/core";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { openAdapter, openModel } from "../index.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "kto-folder-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

type Files = Readonly<Record<string, string | Uint8Array>>;
const pointer = `version https://git-lfs.github.com/spec/v1\noid sha256:${"0".repeat(64)}\nsize 988097824\n`;
const adapterConfig = JSON.stringify({ peft_type: "LORA", base_model_name_or_path: "Qwen/Qwen2.5-0.5B" });
const page = "<!DOCTYPE html>\n<html><head><title>Sign in</title></head></html>\n";
const utf16 = new Uint8Array(Buffer.from('\ufeff{"model_type": "qwen2"}', "utf16le"));
const nothing = new Uint8Array(0);

function write(files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), content);
  }
}

/** The message of the error that opening throws; it is a typed one. */
async function refusal(opening: Promise<unknown>): Promise<string> {
  const error: unknown = await opening.then(
    () => expect.unreachable("it was opened"),
    (reason: unknown) => reason,
  );
  expect(isKtoError(error), String(error)).toBe(true);
  return (error as Error).message.replaceAll(folder, "FOLDER");
}

describe("a model's folder is something else", () => {
  test.each<[string, Files, string]>([
    [
      "an adapter's",
      { "adapter_config.json": adapterConfig, "adapter_model.safetensors": nothing },
      "model: FOLDER is the folder of an adapter of Qwen/Qwen2.5-0.5B; expected *.safetensors in Hugging Face layout; give the base as the model and this as its adapter: --model Qwen/Qwen2.5-0.5B --adapter FOLDER (loadModel, then loadAdapter)",
    ],
    [
      "an adapter's with pickle weights",
      { "adapter_config.json": adapterConfig, "adapter_model.bin": nothing },
      "is the folder of an adapter of Qwen/Qwen2.5-0.5B",
    ],
    [
      "an adapter's without a base",
      { "adapter_config.json": '{"base_model_name_or_path": null}' },
      "is the folder of an adapter of a base model that its config does not name; expected *.safetensors in Hugging Face layout; give the base as the model and this as its adapter: --model BASE --adapter FOLDER",
    ],
    [
      "an adapter's beside the base's config",
      { "adapter_config.json": adapterConfig, "config.json": "MODEL" },
      "is the folder of an adapter of Qwen/Qwen2.5-0.5B",
    ],
    [
      "a run's that was interrupted",
      {
        "checkpoint-5/adapter_config.json": adapterConfig,
        "checkpoint-15/adapter_config.json": adapterConfig,
        "checkpoint-20/trainer_state.json": "{}",
      },
      "is the folder of a run, whose newest checkpoint (checkpoint-15) is an adapter of Qwen/Qwen2.5-0.5B; expected *.safetensors in Hugging Face layout; give the base as the model and this as its adapter: --model Qwen/Qwen2.5-0.5B --adapter FOLDER/checkpoint-15",
    ],
    ["GGUF", { "tiny.Q4_K_M.gguf": "GGUF" }, "holds a GGUF file (tiny.Q4_K_M.gguf)"],
    [
      "pickle weights",
      { "config.json": "MODEL", "pytorch_model.bin": nothing },
      'holds only pickle weights (pytorch_model.bin); expected *.safetensors in Hugging Face layout; a pickle can run any code: if you trust it, write it anew with transformers: AutoModelForCausalLM.from_pretrained("FOLDER").save_pretrained("new-folder")',
    ],
    ["Meta's layout", { "params.json": "{}", "consolidated.00.pth": nothing }, "holds only pickle weights (consolidated.00.pth)"],
    ["another framework's", { "config.json": "MODEL", "tf_model.h5": nothing }, "holds weights of another framework (tf_model.h5)"],
    [
      "a pipeline of diffusers",
      { "model_index.json": "{}", "unet/config.json": "{}" },
      "is a pipeline of diffusers (model_index.json); expected *.safetensors in Hugging Face layout; only language models are trained here",
    ],
    [
      "a model of sentence-transformers",
      { "modules.json": "[]", "0_Transformer/config.json": "{}" },
      "is a model of sentence-transformers",
    ],
    ["the hub's cache", { "refs/main": "0", "snapshots/0/config.json": "{}" }, "is a folder of the hub's cache"],
    ["empty", {}, "model: FOLDER has no config.json; expected a model in Hugging Face layout; check the path"],
    [
      "without weights",
      { "config.json": "MODEL" },
      "no weights in FOLDER; expected model.safetensors or model.safetensors.index.json, got neither",
    ],
    [
      "config.json a Git LFS pointer",
      { "config.json": pointer },
      "config.json cannot be read; expected JSON, got a Git LFS pointer, not the file; fetch the file with `git lfs pull`",
    ],
    [
      "config.json a page",
      { "config.json": page },
      "got a page of HTML, as a site shows it for a file that it does not give; download the file itself",
    ],
    ["config.json in UTF-16", { "config.json": utf16 }, "got UTF-16 text; save the file as UTF-8"],
    ["config.json empty", { "config.json": "" }, "got an empty file; download it again"],
    ["config.json cut off", { "config.json": '{"model_type": "qwen2",' }, "config.json cannot be read; expected JSON, got"],
    [
      "another architecture's",
      { "config.json": '{"model_type": "llama"}' },
      'unsupported architecture; expected model_type "qwen2", got "llama"; Qwen2, Qwen2.5 and DeepSeek-R1-Distill-Qwen checkpoints can be read',
    ],
    [
      "weights a Git LFS pointer",
      { "config.json": "MODEL", "model.safetensors": pointer },
      "this is a Git LFS pointer, not the weights; expected a safetensors header; fetch the file with `git lfs pull`",
    ],
    ["weights a page", { "config.json": "MODEL", "model.safetensors": page }, "this is a page of HTML"],
    [
      "the index a Git LFS pointer",
      { "config.json": "MODEL", "model.safetensors.index.json": pointer },
      "index is not valid JSON; got a Git LFS pointer",
    ],
  ])("%s", async (_what, files, message) => {
    write(files);
    if (files["config.json"] === "MODEL") cpSync(fixturePath("model/config.json"), join(folder, "config.json"));
    expect(await refusal(openModel(folder))).toContain(message);
  });

  test("its tokenizer a Git LFS pointer", async () => {
    cpSync(fixturePath("model"), folder, { recursive: true });
    write({ "tokenizer.json": pointer });
    expect(await refusal(openModel(folder))).toBe(
      "tokenizer: FOLDER/tokenizer.json cannot be read; expected JSON, got a Git LFS pointer, not the file; fetch the file with `git lfs pull`",
    );
  });

  test("a file", async () => {
    write({ "m.safetensors": nothing, "m.gguf": "GGUF" });
    expect(await refusal(openModel(join(folder, "m.safetensors")))).toContain(
      "m.safetensors is no folder; expected the folder of a model or its name on the hub (owner/name), got a file; give the folder that holds a model's files",
    );
    expect(await refusal(openModel(join(folder, "m.gguf")))).toContain("is a GGUF file");
    expect(await refusal(openAdapter(join(folder, "m.safetensors")))).toContain(
      "adapter: FOLDER/m.safetensors is no folder; expected the folder of an adapter",
    );
  });
});

describe("an adapter's folder is something else", () => {
  test.each<[string, Files, string]>([
    [
      "a model's",
      { "config.json": "{}", "model.safetensors": nothing },
      "adapter: FOLDER is the folder of a model; expected the folder of an adapter as peft saves it; give it as the model (--model FOLDER, or loadModel) and leave the adapter out",
    ],
    [
      "a run's with checkpoints alone",
      { "checkpoint-5/adapter_config.json": adapterConfig },
      "is the folder of a run that has checkpoints alone; expected the folder of an adapter as peft saves it; give the newest: FOLDER/checkpoint-5",
    ],
    [
      "one with a named adapter",
      { "policy/adapter_config.json": adapterConfig },
      "holds an adapter named policy; expected the folder of an adapter as peft saves it; give FOLDER/policy, or the name of the adapter",
    ],
    ["empty", {}, "FOLDER/adapter_config.json: no such file; expected the folder of an adapter; check the path"],
    ["a Git LFS pointer", { "adapter_config.json": pointer }, "the text is not JSON; got a Git LFS pointer"],
    ["a page", { "adapter_config.json": page }, "the text is not JSON; got a page of HTML"],
    ["UTF-16", { "adapter_config.json": utf16 }, "the text is not JSON; got UTF-16 text"],
    [
      "of another method",
      { "adapter_config.json": '{"peft_type": "IA3"}' },
      'this is no LoRA adapter; expected peft_type "LORA", got "IA3"',
    ],
  ])("%s", async (_what, files, message) => {
    write(files);
    expect(await refusal(openAdapter(folder))).toContain(message);
  });
});
