import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => {
  folder = temporaryFolder();
  const rows = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8").split("\n").slice(0, 6).join("\n");
  writeFileSync(folder.file("rows.jsonl"), `${rows}\n`);
});
afterAll(() => folder[Symbol.dispose]());

const settings = "--max_length 96 --per_device_train_batch_size 2 --max_steps 3 --learning_rate 1e-3 --save_steps 2".split(" ");
const train = (output: string, ...more: string[]): string[] => {
  const places = ["--model", fixturePath("model"), "--data", folder.file("rows.jsonl"), "--output_dir", folder.file(output)];
  return ["train", ...places, ...settings, ...more];
};
const weightsOf = (output: string): Buffer => readFileSync(folder.file(output, "model.safetensors"));

describe("kto train without use_peft and without an adapter", () => {
  it("trains every weight: a model comes out, says so, is resumed to the bit, and answers", async () => {
    const whole = await kto(train("whole", "--lora_r", "4"));
    expect(whole.status, whole.stderr).toBe(0);
    expect(whole.stderr).toMatch(/training +every weight · .* trainable parameters, in float32/);
    expect(whole.stderr).toMatch(/lora_r: no effect without use_peft: every weight is trained/);
    const files = ["config.json", "generation_config.json", "model.safetensors", "tokenizer.json", "trainer_state.json"];
    expect(readdirSync(folder.file("whole"))).toEqual(expect.arrayContaining(files));
    expect(readdirSync(folder.file("whole"))).not.toContain("adapter_config.json");
    expect(weightsOf("whole").equals(readFileSync(fixturePath("model", "model.safetensors")))).toBe(false);

    expect((await kto(train("resumed"))).status).toBe(0);
    rmSync(folder.file("resumed", "checkpoint-3"), { recursive: true });
    rmSync(folder.file("resumed", "model.safetensors"));
    const resumed = await kto(train("resumed", "--resume_from_checkpoint", "checkpoint-2"));
    expect(resumed.status, resumed.stderr).toBe(0);
    expect(weightsOf("resumed").equals(weightsOf("whole"))).toBe(true);

    const answer = await kto(["generate", "--model", folder.file("whole"), "--prompt", "1+1=", "--max_new_tokens", "2", "--json"]);
    expect(answer.status, answer.stderr).toBe(0);
  });

  it.each([
    [["--load_in_4bit"], /--load_in_4bit: every weight is to be trained, and one in four bits cannot be/],
    [["--max_memory", "1MiB"], /that does not fit; expected at most 1\.00 MiB.* for weights, .*; train an adapter \(use_peft: true/],
  ])("%s is refused before anything is written", async (flags, says) => {
    const refused = await kto(train("refused", ...flags));
    expect(refused.status).toBe(2);
    expect(errorLinesOf(refused)).toEqual([expect.stringMatching(says)]);
    expect(readdirSync(folder.file("."))).not.toContain("refused");
  });
});
