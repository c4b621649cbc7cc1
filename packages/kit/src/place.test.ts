import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { expect, it } from "vitest";
import { deviceChoice } from "./device/device-choice.js";
import { whyNoHardware } from "./device/hardware.js";
import { withRevision } from "./hub/repo-files.js";
import { loadDataset, loadModel, openAdapter, openModel } from "./index.js";
import { expandHome, isHubId } from "./node.js";
import { looksLikeHubId } from "./place.js";

it.each([
  ["owner/name", true],
  ["owner/name@v2", true],
  ["Qwen/Qwen2.5-0.5B-Instruct", true],
  ["name", false],
  ["./owner/name", false],
  ["/owner/name", false],
  ["~/name", false],
  ["a/b/c", false],
  ["data/train.jsonl", false],
  ["models/tiny.gguf", false],
  ["owner/na me", false],
])("%s is the name of a repository: %s", (given, expected) => expect(looksLikeHubId(given)).toBe(expected));

it("what lies on the disk comes before the hub; ~ is the home folder", () => {
  const folder = mkdtempSync(join(tmpdir(), "kto-kit-"));
  const before = process.cwd();
  try {
    process.chdir(folder);
    expect(isHubId("owner/name")).toBe(true);
    mkdirSync("owner/name", { recursive: true });
    expect(isHubId("owner/name")).toBe(false);
  } finally {
    process.chdir(before);
    rmSync(folder, { recursive: true });
  }
  expect([expandHome("~"), expandHome("~/m"), expandHome("~m"), expandHome("a/~")]).toEqual([homedir(), join(homedir(), "m"), "~m", "a/~"]);
});

it("a revision is named once, or twice alike", () => {
  expect(withRevision("owner/name", undefined)).toBe("owner/name");
  expect(withRevision("owner/name@v2", "main")).toBe("owner/name@v2");
  expect(withRevision("owner/name", "v2")).toBe("owner/name@v2");
  expect(withRevision("owner/name@v2", "v2")).toBe("owner/name@v2");
  expect(() => withRevision("owner/name@v2", "v3")).toThrow(/names a revision too; expected one of the two, got "v3" and "v2"/);
});

it("a device is one of three words", () => {
  expect([deviceChoice(undefined, "KTO_DEVICE"), deviceChoice("", "KTO_DEVICE"), deviceChoice("gpu", "device")]).toEqual([
    "auto",
    "auto",
    "gpu",
  ]);
  expect(() => deviceChoice("cuda", "KTO_DEVICE")).toThrow(/^KTO_DEVICE: not usable; expected one of auto, gpu, software, got "cuda"$/);
});

it("says why there is no hardware without loading the GPU's library", () => {
  expect(whyNoHardware({ VK_DRIVER_FILES: "/x.json" }, "linux")).toBeUndefined();
  expect(whyNoHardware({}, "darwin")).toBeUndefined();
});

it("what is wrong with a place is told before a device is opened", async () => {
  const folder = mkdtempSync(join(tmpdir(), "kto-kit-"));
  try {
    const file = join(folder, "file");
    writeFileSync(file, "");
    writeFileSync(join(folder, "empty.jsonl"), "");
    await expect(openModel(join(folder, "none"))).rejects.toThrow(
      /none does not exist; expected the folder of a model or its name on the hub/,
    );
    await expect(openModel(file)).rejects.toThrow(/file is no folder/);
    await expect(openModel(folder)).rejects.toThrow(/has no config\.json; expected a model in Hugging Face layout/);
    await expect(openAdapter(join(folder, "none"))).rejects.toThrow(
      /adapter: .*none does not exist; expected the folder of an adapter or its name on the hub/,
    );
    await expect(loadDataset(join(folder, "none.jsonl"))).rejects.toThrow(/none\.jsonl/);
    await expect(loadDataset(join(folder, "empty.jsonl"))).rejects.toThrow(/empty/);
    for (const options of [{}, undefined])
      await expect(loadModel(folder, options as never)).rejects.toThrow(/device is missing; expected what openDevice\(\) resolves to/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

it("rows of a Blob, and their type is the caller's claim", async () => {
  const blob = new Blob(['{"prompt": "2+2=", "completion": "4", "label": true}\n']);
  const dataset = await loadDataset<{ prompt: string; completion: string; label: boolean }>(blob);
  expect(dataset.at(0).completion.length).toBe(1);
});
