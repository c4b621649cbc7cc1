import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { startPushHub, type PushHub } from "../../../hub/src/testing/loopback-push.js";
import { adapterModelCard, loraConfig } from "@kto/lora";
import { pushToHub, type PushToHubOptions } from "./push-to-hub.js";

let hub: PushHub;
let folder: string;
const write = (name: string, text: string): void => writeFileSync(join(folder, name), text);
beforeEach(async () => {
  hub = await startPushHub();
  folder = mkdtempSync(join(tmpdir(), "kto-push-to-hub-"));
  write("adapter_config.json", '{"peft_type": "LORA", "base_model_name_or_path": "owner/base", "r": 4}');
  write("adapter_model.safetensors", "weights");
  write("trainer_state.json", '{"log_history": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.4}]}');
});
afterEach(async () => {
  await hub[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true });
});

const notes: string[] = [];
const push = (more: Partial<PushToHubOptions> = {}): ReturnType<typeof pushToHub> =>
  pushToHub(folder, { repo: "owner/adapter", token: hub.token, endpoint: hub.endpoint, onNote: (note) => notes.push(note), ...more });

it("pushes the folder with a card made of the run, and writes nothing to the folder", async () => {
  const before = readdirSync(folder);
  await push();
  expect(Object.keys(hub.texts()).sort()).toEqual(["README.md", "adapter_config.json", "adapter_model.safetensors", "loss-curve.svg", "trainer_state.json"]); // prettier-ignore
  expect(hub.texts()["README.md"]).toContain("A LoRA adapter for [owner/base]");
  expect(readdirSync(folder)).toEqual(before);
  expect((await push()).changed).toEqual([]);
});

it("takes the licence of the base from its card", async () => {
  const base = join(folder, "base");
  rmSync(base, { recursive: true, force: true });
  await pushToHub(folder, { repo: "owner/base", token: hub.token, endpoint: hub.endpoint, card: false, files: { "README.md": "---\nlicense: apache-2.0\n---\n# base\n" } }); // prettier-ignore
  await push();
  expect(hub.texts()["README.md"]).toContain("\nlicense: apache-2.0\n");
  await push({ license: "mit" });
  expect(hub.texts()["README.md"]).toContain("\nlicense: mit\n");
});

it("replaces a card that was made and not changed, here and there", async () => {
  write("README.md", adapterModelCard(loraConfig({ baseModelNameOrPath: "owner/base" })));
  await push();
  expect(hub.texts()["README.md"]).toContain("## Metrics");
  write("trainer_state.json", '{"log_history": [{"step": 1, "loss": 0.5}, {"step": 2, "loss": 0.3}]}');
  expect((await push()).changed).toEqual(["README.md", "loss-curve.svg", "trainer_state.json"]);
});

it("a card that somebody wrote stays: in the folder, and on the hub", async () => {
  write("README.md", "# Mine\n");
  await push();
  expect(hub.texts()["README.md"]).toBe("# Mine\n");
  expect(hub.texts()["loss-curve.svg"]).toBeUndefined();
  write("README.md", adapterModelCard(loraConfig({ baseModelNameOrPath: "owner/base" })));
  notes.length = 0;
  expect((await push()).changed).toEqual([]);
  expect(hub.texts()["README.md"]).toBe("# Mine\n");
  expect(notes).toEqual(["README.md of owner/adapter was written or changed by hand and stays as it is"]);
  await push({ revision: "dev" }); // made from main, where that card is
  expect(hub.texts("model/owner/adapter", "dev")["README.md"]).toBe("# Mine\n");
  write("README.md", "# Mine, better\n");
  expect((await push()).changed).toEqual(["README.md"]);
});

it("makes no card that include or exclude leave out, nor for a data set", async () => {
  await push({ include: ["*.safetensors"] });
  await push({ exclude: ["*.md", "*.svg"] });
  expect(Object.keys(hub.texts()).sort()).toEqual(["adapter_config.json", "adapter_model.safetensors", "trainer_state.json"]);
  await push({ repo: "owner/rows", repoType: "dataset" });
  expect(Object.keys(hub.texts("dataset/owner/rows"))).not.toContain("README.md");
});

it("says what is wrong with the folder and the name as a push does", async () => {
  await expect(pushToHub(join(folder, "none"), { repo: "owner/a", token: "hf_x", endpoint: hub.endpoint })).rejects.toThrow(
    "cannot be read",
  );
  await expect(push({ repo: "a/b/c" })).rejects.toMatchObject({ code: "HUB", reason: "repoId" });
  await expect(push({ repo: "other/adapter" })).rejects.toMatchObject({ status: 403 });
});
