import { readFileSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { kto, temporaryFolder } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeAll(() => (folder = temporaryFolder()));
afterAll(() => folder[Symbol.dispose]());

const first = (count: number, ...fixture: string[]): string =>
  readFileSync(fixturePath(...fixture), "utf8")
    .split("\n")
    .slice(0, count)
    .join("\n");
const bytesOf = (output: string): Buffer => readFileSync(folder.file(output, "adapter_model.safetensors"));

describe.each<[method: string, rows: string, flags: string[], head: string]>([
  ["dpo", first(10, "dpo", "rows.jsonl"), ["--precompute_ref_log_probs"], "chosen rejected  margins accuracy"],
  ["sft", first(12, "sft", "messages-rows.jsonl"), ["--packing", "--data_seed", "7"], "accuracy  entropy  num_tokens"],
])("kto %s", (method, rows, flags, head) => {
  const train = (output: string, ...more: string[]): string[] => {
    writeFileSync(folder.file(`${method}.jsonl`), rows);
    const named = ["--model", fixturePath("model"), "--data", folder.file(`${method}.jsonl`), "--output_dir", folder.file(output)];
    const how = ["--use_peft", "--lora_r", "4", "--max_length", "96", "--per_device_train_batch_size", "2", "--learning_rate", "1e-3"];
    return [method, ...named, ...how, "--max_steps", "4", "--logging_steps", "1", ...flags, ...more];
  };

  it("shows its own metrics, and no KL", async () => {
    const { status, stderr } = await kto(train(`${method}-whole`));
    expect(status).toBe(0);
    expect(stderr).toMatch(new RegExp(`^ +step +epoch +loss +grad_norm +lr +${head.replaceAll(/ +/g, " +")}$`, "m"));
    expect(stderr).not.toMatch(/\bkl\b/i);
    const card = readFileSync(folder.file(`${method}-whole`, "README.md"), "utf8");
    expect(card).toMatch(new RegExp(`^- ${method}$`, "m"));
    for (const line of stderr.split("\n").filter((text) => !text.startsWith("note: "))) expect(line.length).toBeLessThanOrEqual(80);
  });

  it("interrupted in the midst of a random order, goes on to the same bits, and from resolved_config.yaml again", async () => {
    const interrupt = new AbortController();
    const onStderr = (text: string): void => void (/^ +2 /m.test(text) && interrupt.abort(new Error("stop")));
    expect((await kto(train(`${method}-stopped`), { signal: interrupt.signal, onStderr })).status).toBe(130);
    expect((await kto(train(`${method}-stopped`, "--resume_from_checkpoint", "true", "--quiet"))).status).toBe(0);
    expect(bytesOf(`${method}-stopped`).equals(bytesOf(`${method}-whole`))).toBe(true);
    const config = folder.file(`${method}-whole`, "resolved_config.yaml");
    expect((await kto(["train", config, "--output_dir", folder.file(`${method}-again`), "--quiet"])).status).toBe(0);
    expect(bytesOf(`${method}-again`).equals(bytesOf(`${method}-whole`))).toBe(true);
  });
});
