import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { startPushHub, type PushHub } from "../../hub/src/testing/loopback-push.js";
import { errorLinesOf, hubEnv, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
let hub: PushHub;
beforeEach(async () => {
  folder = temporaryFolder();
  hub = await startPushHub();
  const rows = readFileSync(fixturePath("kto", "rows.jsonl"), "utf8").split("\n").slice(0, 3).join("\n");
  writeFileSync(folder.file("rows.jsonl"), `${rows}\n`);
  const config = {
    model_name_or_path: fixturePath("model"),
    train_file: folder.file("rows.jsonl"),
    output_dir: folder.file("my-run"),
    use_peft: true,
    lora_r: 2,
    max_length: 64,
    per_device_train_batch_size: 2,
    gradient_accumulation_steps: 1,
    max_steps: 2,
    save_steps: 1,
    logging_steps: 1,
    learning_rate: 1e-3,
    push_to_hub: true,
  };
  writeFileSync(folder.file("kto.yaml"), JSON.stringify(config));
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  folder[Symbol.dispose]();
});

const train = (argv: string[] = [], env: Record<string, string> = {}): Promise<Outcome> =>
  kto(["train", folder.file("kto.yaml"), ...argv], { env: { ...hubEnv(hub, folder.file("cache")), HF_TOKEN: hub.token, ...env } });
const summaries = (): string[] => hub.repos.get("model/owner/my-run")!.branches.get("main")!.slice(1).map(({ summary }) => summary); // prettier-ignore
const texts = (): Record<string, string> => hub.texts("model/owner/my-run");

describe("push_to_hub", () => {
  it("pushes checkpoints on the way, the run at the end, and its card; the token is written nowhere", async () => {
    const flags = ["--hub_strategy", "checkpoint", "--hub_private_repo", "--hub_always_push", "--hub_token", hub.token];
    const { status, stdout, stderr } = await train(flags, { HF_TOKEN: "" });
    expect({ status, errors: stderr.match(/error.*|the push of.*/g) }).toEqual({ status: 0, errors: null });
    expect(stdout).toMatch(/^TrainOutput/);
    expect(stderr).toMatch(new RegExp(`^hub +${hub.endpoint}/owner/my-run/commit/[0-9a-f]{40}$`, "m"));
    expect(summaries()).toEqual(["Training in progress, step 1", "Training in progress, step 2", "End of training"]);
    expect(hub.repos.get("model/owner/my-run")).toMatchObject({ private: true });
    expect(Object.keys(texts()).sort()).toEqual(
      expect.arrayContaining(["README.md", "adapter_config.json", "adapter_model.safetensors", "last-checkpoint/optimizer.safetensors", "loss-curve.svg", "metrics.jsonl", "resolved_config.yaml", "train_results.json"]), // prettier-ignore
    );
    expect(texts()["adapter_model.safetensors"]).toBe(readFileSync(folder.file("my-run", "adapter_model.safetensors")).toString());
    expect(texts()["README.md"]).toContain("| `learning_rate` | `0.001` |");
    expect(JSON.parse(texts()["last-checkpoint/trainer_state.json"]!)).toMatchObject({ global_step: 2 });
    expect(Object.values(texts()).join("\n")).not.toContain(hub.token);
    expect(stdout + stderr).not.toContain(hub.token);
    expect(readFileSync(folder.file("my-run", "resolved_config.yaml"), "utf8")).toContain("\nhub_token: null\n");
    expect(readdirSync(folder.file("my-run")).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });

  it("a push that fails on the way is a warning; at the end it is an error that says how to go on, and resuming pushes", async () => {
    hub.fault = ({ path }) => (path.includes("/commit/") ? { status: 422 } : undefined);
    const outcome = await train();
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    const said = outcome.stderr.replace(/\s+/g, " ");
    expect(said).toContain("warning: the push of update 1 failed and is tried again at the end: push:");
    expect(said).toContain(`push it with kto push ${folder.file("my-run")} --repo owner/my-run`);
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/error\[HUB\]: push: .*status 422/)]);
    expect(existsSync(folder.file("my-run", "train_results.json"))).toBe(true);
    expect(summaries()).toEqual([]);
    hub.fault = () => undefined;
    const again = await train(["--resume_from_checkpoint", "true"]);
    expect({ status: again.status, errors: errorLinesOf(again) }).toEqual({ status: 0, errors: [] });
    expect(summaries()).toEqual(["End of training"]);
    expect(Object.keys(texts())).toContain("adapter_model.safetensors");
  });

  it.each<[string, string[], Record<string, string>, RegExp]>([
    ["no token", [], { HF_TOKEN: "" }, /there is no token; expected one that may write to my-run/],
    ["a wrong token", [], { HF_TOKEN: "hf_wrong" }, /the token was not accepted/],
    ["another's repository", ["--hub_model_id", "other/run"], {}, /this token may not write to other\/run/],
    ["a name that is none", ["--hub_model_id", "a/b/c"], {}, /--hub_model_id: not usable; expected the name of a repository/],
    ["a strategy that is none", ["--hub_strategy", "often"], {}, /--hub_strategy: not usable; expected one of end, every_save/],
    [
      "a folder whose name is none",
      ["--output_dir", "/tmp/my run"],
      {},
      /hub_model_id: the last part of output_dir is no name.*got my run/,
    ],
    ["offline", [], { HF_HUB_OFFLINE: "1" }, /HF_HUB_OFFLINE is set/],
  ])("%s: refused before anything is trained or written", async (_what, argv, env, says) => {
    const outcome = await train(argv, env);
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(says)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(existsSync(folder.file("my-run"))).toBe(false);
  });

  it("a token that only reads is refused too", async () => {
    hub.role = "read";
    const outcome = await train();
    expect(errorLinesOf(outcome)).toEqual([expect.stringMatching(/this token only reads/)]);
    expect(outcome.status).toBe(2);
    expect(hub.repos.size).toBe(0);
  });
});
