import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

const rows = Array.from({ length: 8 }, (_, index) =>
  JSON.stringify({
    prompt: [{ role: "user", content: `Question ${index}` }],
    completion: [{ role: "assistant", content: index % 2 ? "yes" : "no" }],
    label: index % 2 === 0,
  }),
).join("\n");

it("SFT that goes on from a checkpoint with tokens from the cache is the run straight through, to the bit", async () => {
  using folder = temporaryFolder();
  const conversations = rows.split("\n").map((row) => {
    const { prompt, completion } = JSON.parse(row) as Record<"prompt" | "completion", object[]>;
    return JSON.stringify({ messages: [...prompt, ...completion] });
  });
  writeFileSync(folder.file("rows.jsonl"), conversations.join("\n"));
  const train = async (name: string, ...flags: string[]): Promise<{ stderr: string; adapter: Buffer }> => {
    const given = ["--data", folder.file("rows.jsonl"), "--packing", "--max_length", "40", "--output_dir", folder.file(name)];
    const settings = ["--use_peft", "--max_steps", "2", "--per_device_train_batch_size", "1", "--learning_rate", "1e-2"];
    const { status, stderr } = await kto(["sft", "--model", fixturePath("model"), ...given, ...settings, ...flags], {
      env: { KTO_CACHE: folder.file("cache") },
    });
    expect(stderr.match(/kto: error.*/)?.[0]).toBeUndefined();
    expect(status).toBe(0);
    return { stderr, adapter: readFileSync(folder.file(name, "adapter_model.safetensors")) };
  };
  const straight = await train("straight", "--save_steps", "1");
  expect(straight.stderr).toMatch(/^tokens +kept for the next run/m);
  const resumed = await train("resumed", "--save_strategy", "no", "--resume_from_checkpoint", folder.file("straight", "checkpoint-1"));
  expect(resumed.stderr).toMatch(/^tokens +from the cache/m);
  expect(resumed.adapter.equals(straight.adapter)).toBe(true);
  expect(readFileSync(folder.file("straight", "checkpoint-1", "adapter_model.safetensors")).equals(straight.adapter)).toBe(false);
});

it("a run with tokens from the cache is the run that made them, to the bit, also by workers and without a cache", async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.file("rows.jsonl"), rows);
  const train = async (name: string, ...flags: string[]): Promise<{ stderr: string; adapter: Buffer; metrics: string }> => {
    const { status, stderr } = await kto(
      [
        "train",
        "--model",
        fixturePath("model"),
        "--data",
        folder.file("rows.jsonl"),
        "--use_peft",
        "--max_steps",
        "2",
        "--per_device_train_batch_size",
        "2",
        "--logging_steps",
        "1",
        "--learning_rate",
        "1e-2",
        "--save_strategy",
        "no",
        "--output_dir",
        folder.file(name),
        ...flags,
      ],
      { env: { KTO_CACHE: folder.file("cache") } },
    );
    expect(stderr.match(/kto: error.*/)?.[0]).toBeUndefined();
    expect(status).toBe(0);
    const losses = readFileSync(folder.file(name, "metrics.jsonl"), "utf8")
      .match(/"loss":[^,]*/g)!
      .join();
    return { stderr, adapter: readFileSync(folder.file(name, "adapter_model.safetensors")), metrics: losses };
  };
  const made = await train("made");
  expect(made.stderr).toMatch(/^tokens +kept for the next run \(.*cache\/tokens, \d+ B\)$/m);
  const cached = await train("cached");
  expect(cached.stderr.replaceAll(/\n +/g, " ")).toMatch(/^tokens +from the cache \(.*cache\/tokens, \d+ B\)/m);
  const without = await train("without", "--token_cache", "false", "--dataset_num_proc", "2");
  expect(without.stderr).not.toMatch(/^tokens {5}/m);
  for (const other of [cached, without]) {
    expect(other.metrics).toBe(made.metrics);
    expect(other.adapter.equals(made.adapter)).toBe(true);
  }
  expect(readdirSync(folder.file("cache", "tokens"))).toHaveLength(1);
});
