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

it("a run with log-probabilities of the reference from the cache is the run that computed them, to the bit, and one of another adapter computes its own", async () => {
  using folder = temporaryFolder();
  writeFileSync(folder.file("rows.jsonl"), rows);
  const env = { KTO_CACHE: folder.file("cache") };
  const train = async (name: string, ...flags: string[]): Promise<{ stderr: string; adapter: Buffer }> => {
    const given = [
      "--data",
      folder.file("rows.jsonl"),
      "--output_dir",
      folder.file(name),
      "--precompute_ref_log_probs",
      "--save_steps",
      "1",
    ];
    const settings = ["--max_steps", "2", "--per_device_train_batch_size", "2", "--learning_rate", "1e-2"];
    const { status, stderr } = await kto(["train", "--model", fixturePath("model"), ...given, ...settings, ...flags], { env });
    expect(stderr.match(/kto: error.*/)?.[0]).toBeUndefined();
    expect(status).toBe(0);
    return { stderr: stderr.replaceAll(/\n +/g, " "), adapter: readFileSync(folder.file(name, "adapter_model.safetensors")) };
  };
  const computed = await train("computed", "--use_peft");
  expect(computed.stderr).toMatch(/^reference +log-probabilities kept for the next run \(.*cache\/tokens, \d+ B\)$/m);
  const resumed = await train("resumed", "--use_peft", "--resume_from_checkpoint", folder.file("computed", "checkpoint-1"));
  const without = await train("without", "--use_peft", "--token_cache", "false");
  expect(resumed.stderr).toMatch(/^reference +log-probabilities from the cache \(.*cache\/tokens, \d+ B\)/m);
  expect(without.stderr).not.toMatch(/^reference/m);
  for (const { adapter } of [resumed, without]) expect(adapter.equals(computed.adapter)).toBe(true);
  const other = await train("other", "--adapter_name_or_path", folder.file("computed"));
  expect(other.stderr).toMatch(/^reference +log-probabilities kept/m);
  const { stdout } = await kto(["cache"], { env });
  expect(stdout.match(/log-probabilities of a reference$/gm)).toHaveLength(2);
  expect((await kto(["cache", "--clear"], { env })).stdout).toMatch(/removed 3 entries/);
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
