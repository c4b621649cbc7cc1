import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeSafetensors, openSafetensors, toFloat32 } from "@kto/safetensors";
import { bytesSource } from "@kto/core";
import { openModelDir, openSafetensorsFile } from "@kto/safetensors/node";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => (folder = temporaryFolder()));
afterEach(() => folder[Symbol.dispose]());

const model = fixturePath("model");
const adapter = fixturePath("lora", "main");
const nf4 = fixturePath("nf4", "model-dynamic");

/** `kto merge` of the tiny model and its adapter, but for what is given. */
function merge(given: Record<string, string | string[]> = {}, ...more: string[]): Promise<Outcome> {
  const flags = { model, adapter, out: folder.file("out"), ...given };
  const words = Object.entries(flags).flatMap(([name, values]) => [values].flat().flatMap((value) => [`--${name}`, value]));
  return kto(["merge", ...words, ...more]);
}

async function weightsIn(path: string, name: string): Promise<{ values: Float32Array; dtype: string }> {
  await using checkpoint = await openModelDir(path);
  const { data, dtype } = await checkpoint.read(name);
  return { values: toFloat32(data, dtype).values, dtype };
}

function expectRefused(outcome: Outcome, message: RegExp): void {
  expect(outcome, outcome.stderr).toMatchObject({ status: 2, stdout: "" });
  expect(errorLinesOf(outcome)).toHaveLength(1);
  expect(errorLinesOf(outcome)[0]).toMatch(message);
  expect(readdirSync(folder.path).filter((name) => name.startsWith("out"))).toEqual([]);
}

const q = "model.layers.0.self_attn.q_proj.weight";

describe("kto merge", () => {
  it("writes one checkpoint with all that belongs to it, and says what it was made of", async () => {
    const outcome = await merge({ dtype: "float32" }, "--json");
    expect(outcome, outcome.stderr).toMatchObject({ status: 0 });
    const out = folder.file("out");
    const { files, bytes } = JSON.parse(outcome.stdout) as { files: string[]; bytes: number };
    expect(files.map((path) => path.slice(out.length + 1)).sort()).toEqual(readdirSync(out).sort());
    expect(bytes).toBe(files.reduce((sum, path) => sum + statSync(path).size, 0));
    for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"])
      expect(readFileSync(join(out, name))).toEqual(readFileSync(join(model, name)));
    await using expected = await openSafetensorsFile(fixturePath("lora", "main", "merged.safetensors"));
    for (const name of expected.tensors.keys()) {
      const [{ values, dtype }, peft] = [await weightsIn(out, name), toFloat32((await expected.read(name)).data, "F32").values];
      expect(dtype).toBe("F32");
      expect(
        values.every((value, i) => Math.abs(value - peft[i]!) < 2e-6),
        name,
      ).toBe(true);
    }
    expect(outcome.stderr).toMatch(/added to +the model's weights/);
    expect(outcome.stderr).toMatch(/tokenizer +the model's/);
    expect(readdirSync(folder.path)).toEqual(["out"]);
  });

  it("adds several adapters, each times its weight, and writes shards", async () => {
    const outcome = await merge({
      adapter: [adapter, fixturePath("lora", "rank-one")],
      weights: "0.7,0.3",
      dtype: "float32",
      max_shard_size: "100kB",
    });
    expect(outcome, outcome.stderr).toMatchObject({ status: 0, stdout: `${folder.file("out")}\n` });
    expect(readdirSync(folder.file("out"))).toContain("model.safetensors.index.json");
    const [base, both] = [await weightsIn(model, q), await weightsIn(folder.file("out"), q)];
    const alone: Float32Array[] = [];
    for (const name of ["main", "rank-one"]) {
      expect((await merge({ adapter: fixturePath("lora", name), out: folder.file(name), dtype: "float32" })).status).toBe(0);
      alone.push((await weightsIn(folder.file(name), q)).values);
    }
    const sum = base.values.map((value, i) => value + 0.7 * (alone[0]![i]! - value) + 0.3 * (alone[1]![i]! - value));
    expect(both.values.every((value, i) => Math.abs(value - sum[i]!) < 1e-6)).toBe(true);
    expect(outcome.stderr).toMatch(/peft's\s+combination_type\s+cat/);
  });

  it("adds to dequantised weights, or to those of --base, and says which; nf4 warns of what it lost", async () => {
    const dequantised = await merge({ model: nf4 });
    expect(dequantised.stderr).toMatch(/four-bit weights, dequantised/);
    const config = JSON.parse(readFileSync(folder.file("out", "config.json"), "utf8")) as Record<string, unknown>;
    expect(config).not.toHaveProperty("quantization_config");
    expect(config["dtype"]).toBe("bfloat16");
    const based = await merge({ model: nf4, base: fixturePath("model-bf16"), out: folder.file("based") });
    expect(based.stderr).toMatch(/the weights of --base/);
    expect(based.stderr).toMatch(/tokenizer +that of --base/); // the four-bit model of the fixtures has none
    expect(existsSync(folder.file("based", "tokenizer.json"))).toBe(true);
    const plain = await merge({ model: fixturePath("model-bf16"), out: folder.file("plain") });
    expect([based.status, plain.status]).toEqual([0, 0]);
    expect(await weightsIn(folder.file("based"), q)).toEqual(await weightsIn(folder.file("plain"), q));
    const forced = await merge({ model: nf4, dtype: "nf4", out: folder.file("forced") });
    expect(forced.stderr).toMatch(/warning: merged into four bits: quantising the sums again changed them by \d[\d.]* %/);
    expect(readFileSync(folder.file("forced", "config.json"), "utf8")).toContain('"load_in_4bit": true');
  });

  it("takes the tokenizer and the template that the adapter was trained with", async () => {
    const run = folder.file("run");
    cpSync(adapter, run, { recursive: true });
    cpSync(join(model, "tokenizer.json"), join(run, "tokenizer.json"));
    writeFileSync(join(run, "chat_template.jinja"), "{{ messages[0].content }}");
    const copy = folder.file("model");
    cpSync(model, copy, { recursive: true });
    writeFileSync(join(copy, "LICENSE"), "Apache");
    const outcome = await merge({ model: copy, adapter: run });
    expect(outcome.stderr).toMatch(/tokenizer +the adapter's/);
    expect(readFileSync(folder.file("out", "chat_template.jinja"), "utf8")).toBe("{{ messages[0].content }}");
    expect(readFileSync(folder.file("out", "LICENSE"), "utf8")).toBe("Apache");
    expect(existsSync(folder.file("out", "tokenizer_config.json"))).toBe(false);
  });

  it("replaces an empty folder, and clears what a killed merge left", async () => {
    mkdirSync(folder.file("out"));
    mkdirSync(folder.file("out.partial"));
    writeFileSync(folder.file("out.partial", "config.json"), "{}");
    expect((await merge()).status).toBe(0);
    expect(readdirSync(folder.path)).toEqual(["out"]);
  });

  it("ends by a signal without a trace", async () => {
    const stop = new AbortController();
    stop.abort(new Error("stop"));
    const outcome = await kto(["merge", "--model", model, "--adapter", adapter, "--out", folder.file("out")], { signal: stop.signal });
    expect(outcome).toMatchObject({ status: 130, stdout: "" });
    expect(outcome.stderr).toMatch(/interrupted; nothing was written/);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

describe("refused, and nothing is written:", () => {
  it.each<[string, Record<string, string | string[]>, RegExp]>([
    ["an unknown dtype", { dtype: "int4" }, /--dtype: .*float16, bfloat16, float32, nf4.*got "int4"/],
    ["weights of another count", { weights: "0.7,0.3" }, /--weights: not as many as there are adapters; expected 1, got 2 \(0.7, 0.3\)/],
    ["a weight that is no number", { weights: "much" }, /--weights: .*a number for each adapter.*"much"/],
    ["DoRA, by name", { adapter: fixturePath("lora", "dora") }, /use_dora is not supported/],
    ["trained biases, by name", { adapter: fixturePath("lora", "bias-all") }, /bias/],
    ["a bias on B, by name", { adapter: fixturePath("lora", "lora-bias") }, /lora_bias/],
    ["an adapter of another shape", { model: fixturePath("nf4", "model-aligned") }, /ADAPTER_FILE.*of another kind.*expected \[/],
    [
      "a base of another vocabulary",
      { base: fixturePath("nf4", "model-aligned") },
      /16-bit base is another model.*vocab_size 512, got 256/,
    ],
    ["no adapter", { adapter: [] }, /--adapter/],
  ])("%s", async (_, given, message) => expectRefused(await merge(given), message));

  it("an --out that holds something, is a file, or is where the command was started", async () => {
    const used = folder.file("used");
    mkdirSync(used);
    writeFileSync(join(used, "notes.txt"), "mine");
    expectRefused(
      await merge({ out: used }),
      /used is not empty; expected a new or an empty folder, got one with "notes.txt"; choose another/,
    );
    expectRefused(await merge({ out: join(used, "notes.txt") }), /is a file; expected a folder/);
    mkdirSync(folder.file("here"));
    symlinkSync(used, folder.file("link"));
    expectRefused(await merge({ out: folder.file("link") }), /link is not empty/);
    expect(readdirSync(used)).toEqual(["notes.txt"]);
  });

  it("a missing shard, and a checkpoint without a weight", async () => {
    const copy = folder.file("sharded");
    cpSync(fixturePath("model-sharded"), copy, { recursive: true });
    rmSync(join(copy, "model-00002-of-00004.safetensors"));
    expectRefused(await merge({ model: copy }), /shard model-00002-of-00004.safetensors is missing/);
  });

  it("NaN in an adapter", async () => {
    const broken = folder.file("broken");
    mkdirSync(broken);
    cpSync(join(adapter, "adapter_config.json"), join(broken, "adapter_config.json"));
    const file = await openSafetensors(bytesSource(readFileSync(join(adapter, "adapter_model.safetensors"))));
    const tensors = await Promise.all([...file.tensors.keys()].map(async (name) => [name, await file.read(name)] as const));
    const [name, { data }] = tensors.at(-1)!;
    const values = toFloat32(data, "F32").values;
    values[5] = NaN;
    const shape = [...file.tensors.get(name)!.shape];
    writeFileSync(
      join(broken, "adapter_model.safetensors"),
      await encodeSafetensors([
        ...tensors.slice(0, -1).map(([key, tensor]) => [key, { ...tensor, shape: [...tensor.shape] }] as const),
        [name, { dtype: "F32", shape, data: values }],
      ]),
    );
    expectRefused(await merge({ adapter: broken }), /element 5 of .* is NaN; expected finite numbers; its training diverged/);
  });

  it("a value that float16 cannot hold, found while writing: exit 1, and nothing is left", async () => {
    const large = folder.file("large");
    cpSync(model, large, { recursive: true });
    const file = await openSafetensors(bytesSource(readFileSync(join(model, "model.safetensors"))));
    const tensors = await Promise.all([...file.tensors.keys()].map(async (name) => [name, await file.read(name)] as const));
    const changed = tensors.map(([name, { dtype, shape, data }]) => {
      const values = toFloat32(data, dtype).values;
      if (name === "model.norm.weight") values[3] = 70_000;
      return [name, { dtype: "F32", shape: [...shape], data: values }] as const;
    });
    writeFileSync(join(large, "model.safetensors"), await encodeSafetensors(changed));
    const outcome = await merge({ model: large, dtype: "float16" });
    expect(outcome).toMatchObject({ status: 1, stdout: "" });
    expect(errorLinesOf(outcome)[0]).toMatch(/model.norm.weight: element 3 does not fit f16/);
    expect(readdirSync(folder.path)).toEqual(["large"]);
  });
});
