import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bytesSource } from "@kto/core";
import { fileDirectory, folderStore } from "@kto/core/node";
import { openGguf, type GgufFile } from "@kto/gguf-export";
import { readAdapter, saveAdapter } from "@kto/lora";
import { loadAdapter, loadModel, openDevice, type LoadedModel } from "kto";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { startTinyHub, type TinyHub } from "./testing/tiny-hub.js";

const root = fileURLToPath(new URL("../../../", import.meta.url));
const MODEL = "unsloth/DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit";
const ROWS = 24; // three updates

interface Outcome {
  status: number | null;
  /** As they came. */
  pieces: string[];
  stdout: string;
  stderr: string;
}

let hub: TinyHub;
let scratch: string;
/** What the whole tutorial wrote. */
let out: string;
const said: Record<string, Outcome> = {};

/** Runs a file of the tutorial in a process of its own; Ctrl-C comes once it has written something. */
async function run(
  file: string,
  argv: readonly string[],
  { env = {}, interruptAt }: { env?: Record<string, string>; interruptAt?: RegExp } = {},
): Promise<Outcome> {
  const { HF_TOKEN: _, ...inherited } = process.env;
  const device = process.env["KTO_DEVICE"] ?? "software";
  const child = spawn(
    process.execPath,
    ["--conditions=@kto/source", "--import=tsx", join(root, "examples/deepseek-kto/src", `${file}.ts`), ...argv],
    {
      cwd: root,
      env: { ...inherited, KTO_DEVICE: device, HF_ENDPOINT: hub.endpoint, HF_HOME: join(scratch, "cache"), ...env },
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  const outcome: Outcome = { status: null, pieces: [], stdout: "", stderr: "" };
  let isInterrupted = false;
  child.stdout.setEncoding("utf8").on("data", (text: string) => {
    outcome.pieces.push(text);
    outcome.stdout += text;
    if (!interruptAt?.test(outcome.stdout) || isInterrupted) return;
    isInterrupted = child.kill("SIGINT");
  });
  child.stderr.setEncoding("utf8").on("data", (text: string) => (outcome.stderr += text));
  [outcome.status] = (await once(child, "close")) as [number | null];
  return outcome;
}

/**
 * Three updates at 5e-7 leave an adapter that no rounding would show: it is trained further by a factor, so that a merge that forgot it would be seen.
 */
async function trainFurther(base: LoadedModel, place: string, factor: number): Promise<void> {
  const { config, weights } = await readAdapter(fileDirectory(place), base);
  using adapted = await loadAdapter(base, place);
  for (const { b } of weights.values()) for (let i = 0; i < b.length; i++) b[i]! *= factor;
  await saveAdapter(folderStore(place), { config, targets: adapted.activeAdapter.targets, weights });
}

async function logits(model: LoadedModel): Promise<Float32Array> {
  const ids = [491, 489, 17, 200, 31, 8, 99, 490, 493];
  const tensor = model.device.scope(() => model.logits(model.hiddenStates(model.packRows([ids]))));
  return (await tensor.read()) as Float32Array;
}

/** ‖a − b‖ / ‖b‖. */
function distance(a: Float32Array, b: Float32Array): number {
  const norm = (of: (i: number) => number): number => Math.hypot(...Array.from(b, (_, i) => of(i)));
  return norm((i) => a[i]! - b[i]!) / norm((i) => b[i]!);
}

let device: Awaited<ReturnType<typeof openDevice>>;
let base: LoadedModel;

beforeAll(async () => {
  hub = await startTinyHub();
  scratch = mkdtempSync(join(tmpdir(), "kto-tutorial-"));
  out = join(scratch, "out", "DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit");
  const settings = ["--rows", String(ROWS), "--folder", join(scratch, "out"), "--max-new-tokens", "16", "--repo", "owner/tuned"];
  const env = { HF_TOKEN: hub.token };
  said["training"] = await run("tutorial", ["1-load", "2-data", "3-lora", "4-train", ...settings], { env });
  device = await openDevice({ device: process.env["KTO_DEVICE"] === "gpu" ? "gpu" : "software" });
  base = await loadModel(MODEL, { device, dtype: "f32", hub: { endpoint: hub.endpoint, cacheDir: join(scratch, "cache", "hub") } });
  await trainFurther(base, join(out, "outputs"), 3e4);
  said["the rest"] = await run("tutorial", ["5-save-merge-push", "6-gguf", "7-generate", ...settings], { env });
});
afterAll(async () => {
  base?.dispose();
  device?.dispose();
  await hub[Symbol.asyncDispose]();
  rmSync(scratch, { recursive: true });
});

const firstError = ({ status, stderr }: Outcome): unknown => ({ status, error: /^error.*$/m.exec(stderr)?.[0] });
const done = { status: 0, error: undefined };

describe("the tutorial", () => {
  it("runs through, and fits into 80 columns", () => {
    expect([firstError(said["training"]!), firstError(said["the rest"]!)]).toEqual([done, done]);
    const ours = (line: string): boolean => !/<｜|https?:|\/out\/|^in /.test(line); // not conversations, addresses and paths
    const lines = Object.values(said).flatMap(({ stdout, stderr }) => `${stdout}\n${stderr}`.split("\n"));
    expect(lines.filter((line) => ours(line) && line.length > 80)).toEqual([]);
  });

  it("loads a model of which some layers are in four bits, and conversations that are good or bad", () => {
    const { stdout } = said["training"]!;
    expect(stdout).toContain("7 of 14 linear layers in four bits");
    expect(stdout).toContain("chat template: the model's own");
    expect(stdout).toMatch(/40 rows of prompt, completion, label\n  the first 24: \d+ good answers, \d+ bad ones\n/);
    expect(stdout).toMatch(/<｜begin▁of▁sentence｜><｜User｜>.+<｜Assistant｜>.+<｜end▁of▁sentence｜>/);
    expect(stdout).toContain("Number of trainable parameters = 35,840\n"); // 16 · (in + out), over 14 layers
  });

  it("trains from one half, and goes on where it was interrupted to the same bytes", async () => {
    expect(said["training"]!.stdout).toMatch(/^   1        0\.500000          0\.000000$/m);
    expect(said["training"]!.stdout).toMatch(/^global_step=3, training_loss=0\.5\d+/m);
    const place = "DeepSeek-R1-Distill-Qwen-1.5B-unsloth-bnb-4bit";
    cpSync(join(out, "fresh_adapter"), join(scratch, "again", place, "fresh_adapter"), { recursive: true });
    const again = ["--rows", String(ROWS), "--folder", join(scratch, "again")];
    const first = await run("4-train", again, { interruptAt: /^   1 /m });
    expect(first.status).toBe(130);
    expect(first.stderr).toMatch(/interrupted: .*\nrun the same again to go on/);
    const second = await run("4-train", again);
    expect(firstError(second)).toEqual(done);
    expect(second.stdout).toMatch(/going on after step [12]\n/);
    const trained = (folder: string): Buffer =>
      readFileSync(join(scratch, folder, place, "outputs", "checkpoint-3", "adapter_model.safetensors"));
    expect(trained("again").equals(trained("out"))).toBe(true);
  });

  it("saves the adapter, and merged models that compute what it does", async () => {
    const untrained = await logits(base);
    const expected = await withAdapter(join(out, "lora_model"));
    expect(distance(untrained, expected)).toBeGreaterThan(0.2);
    expect(await withAdapter(join(out, "outputs"))).toEqual(expected);
    expect(existsSync(join(out, "lora_model", "tokenizer.json"))).toBe(true);

    const merged = await loaded("merged_model");
    expect(merged).toMatchObject({ numQuantized: 0, hasTemplate: true });
    expect(distance(merged.logits, expected)).toBeLessThan(0.01); // bf16 rounds each weight by at most 2⁻⁹
    const forced = await loaded("merged_model_4bit");
    expect(forced).toMatchObject({ numQuantized: 7, hasTemplate: true });
    expect(distance(forced.logits, expected)).toBeLessThan(0.2);
  });

  it("writes GGUF files of the kinds asked for, with a Modelfile", async () => {
    const names = readdirSync(join(out, "gguf")).sort();
    expect(names).toEqual([expect.stringMatching(/-F16\.gguf$/), expect.stringMatching(/-Q4_K_M\.gguf$/), "Modelfile"]);
    const [f16, q4] = await Promise.all(names.slice(0, 2).map((name) => openGguf(bytesSource(readFileSync(join(out, "gguf", name))))));
    const types = (file: GgufFile): Record<string, string> => Object.fromEntries([...file.tensors].map(([name, { type }]) => [name, type]));
    for (const file of [f16!, q4!]) {
      expect(file.tensors.size).toBe(2 * 12 + 3); // twelve a layer, embedding, last norm and head
      expect(file.metadata.get("tokenizer.ggml.pre")?.value).toBe("deepseek-r1-qwen");
      expect(file.metadata.get("tokenizer.chat_template")?.value).toContain("<｜Assistant｜>");
    }
    expect([f16!, q4!].map((file) => file.metadata.get("general.file_type")?.value)).toEqual([1, 15]);
    expect(types(f16!)).toMatchObject({ "blk.0.attn_q.weight": "F16", "blk.0.attn_norm.weight": "F32" });
    // 64 columns are no multiple of 256: k-quants give way to 32-blocks, as in llama.cpp.
    expect(types(q4!)).toMatchObject({
      "blk.0.attn_q.weight": "Q5_0",
      "blk.1.ffn_down.weight": expect.stringMatching(/^Q8_0|Q5_0$/),
      "output_norm.weight": "F32",
    });
    expect(readFileSync(join(out, "gguf", "Modelfile"), "utf8")).toMatch(/FROM \.\/.*-Q4_K_M\.gguf\n[^]*TEMPLATE/);
  });

  it("pushes adapter, model and GGUF file, each with a card of the run", () => {
    const filesOf = (name: string): ReadonlyMap<string, Uint8Array> =>
      hub.pushed.get(`model/owner/${name}`)!.branches.get("main")!.at(-1)!.files;
    const same = (name: string, file: string, local: string): boolean => readFileSync(join(out, local)).equals(filesOf(name).get(file)!);
    expect(same("tuned-lora", "adapter_model.safetensors", "lora_model/adapter_model.safetensors")).toBe(true);
    expect(same("tuned", "model.safetensors", "merged_model/model.safetensors")).toBe(true);
    expect(same("tuned", "config.json", "merged_model/config.json")).toBe(true);
    const local = readdirSync(join(out, "gguf")).find((name) => name.endsWith("Q4_K_M.gguf"))!;
    expect(same("tuned-GGUF", "tuned-GGUF-Q4_K_M.gguf", `gguf/${local}`)).toBe(true);
    for (const name of ["tuned-lora", "tuned", "tuned-GGUF"]) {
      expect([...filesOf(name).keys()]).toContain("loss-curve.svg");
      const card = new TextDecoder().decode(filesOf(name).get("README.md"));
      expect(card).toContain(`base_model: ${MODEL}`);
      expect(card).toContain("license: apache-2.0");
    }
  });

  it("answers, as the text comes", () => {
    const { stdout, pieces } = said["the rest"]!;
    expect(stdout.match(/QUESTION:/g)).toHaveLength(3);
    expect(stdout.match(/^\d+ tokens, \d+ a second$/gm)).toHaveLength(3);
    expect(pieces.filter((_, i) => pieces.slice(0, i).join("").includes("RESPONSE:")).length).toBeGreaterThan(6);
  });
});

describe("what cannot be done is told in one line", () => {
  it.concurrent.each([
    ["1-load", ["--model", "unsloth/nothing"], /^error: hub: no model unsloth\/nothing; .*check the name/],
    ["2-data", ["--dataset", "trl-lib/nothing"], /^error: hub: no dataset trl-lib\/nothing; /],
    ["4-train", ["--folder", "nowhere"], /^error: adapter: nowhere\/.*fresh_adapter does not exist; /],
    ["tutorial", ["--repo", "owner/other"], /^error: push: there is no token; .* set HF_TOKEN$/],
    ["settings", ["--rows", "many"], /^error: --rows: not a count; expected an integer above 0, got "many"$/],
    ["settings", ["--repo", "mine"], /^error: --repo: has no owner; expected your_name\/model, got "mine"$/],
    ["settings", ["--modle", "x"], /^error: Unknown option '--modle'/],
    ["tutorial", ["8-deploy"], /^error: there is no step "8-deploy"; expected 1-load, /],
  ] as const)("%s %j", async (file, argv, expected) => {
    const { status, stderr } = await run(file, argv);
    expect(status).toBe(1);
    const lines = stderr.trimEnd().split("\n");
    expect(lines).toHaveLength(1);
    expect(lines[0]).toMatch(expected);
  });
});

async function withAdapter(place: string): Promise<Float32Array> {
  const adapted = await loadAdapter(base, place);
  return logits(base).finally(() => adapted.dispose());
}

async function loaded(name: string): Promise<{ logits: Float32Array; numQuantized: number; hasTemplate: boolean }> {
  using model = await loadModel(join(out, name), { device, dtype: "f32" });
  return {
    logits: await logits(model),
    numQuantized: model.quantizedWeights.size,
    hasTemplate: model.tokenizer?.templateFor().source === "model",
  };
}
