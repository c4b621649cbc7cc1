import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, watch, writeFileSync } from "node:fs";
import { bytesSource } from "@kto/core";
import { dequantize, ggufWeights, type GgufFile, openGguf, writeImportanceMatrix } from "@kto/gguf-export";
import { asTypedArray, openSafetensors, toBfloat16 } from "@kto/safetensors";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ktoProgram } from "./testing/kto-program.js";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

const model = fixturePath("model");
const adapter = fixturePath("lora", "main");

/** An importance matrix of one layer. */
const imatrix = await encodedMatrix();

async function encodedMatrix(): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  const entries = new Map([["blk.0.ffn_down.weight", { sumSquares: Float32Array.from({ length: 160 }, (_, i) => i), count: 1 }]]);
  const sink = { write: async (bytes: Uint8Array) => void parts.push(bytes.slice()) };
  await writeImportanceMatrix(sink, { entries, datasets: [], chunkCount: 1, chunkSize: 1 });
  return Buffer.concat(parts);
}

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const run = (...argv: string[]): Promise<Outcome> => kto(["export-gguf", ...argv]);
const open = (path: string): Promise<GgufFile> => openGguf(bytesSource(readFileSync(path), path));

/** A copy of the tiny model with some files changed. */
function changedModel(change: (path: (file: string) => string) => void): string {
  const copy = folder.file("changed");
  cpSync(model, copy, { recursive: true });
  change((file) => `${copy}/${file}`);
  return copy;
}

interface Result {
  files: { path: string; type: string; bytes: number; bpw?: number }[];
}

describe("kto export-gguf", () => {
  it("writes a file with a Modelfile beside it, and says so", async () => {
    const out = folder.file("gguf", "tiny.gguf");
    const { status, stdout, stderr } = await run("--model", model, "--out", out, "--type", "q4_k_m");
    expect({ status, stdout }).toEqual({ status: 0, stdout: `${out}\n` });
    expect(stderr).toMatch(/tiny\.gguf: Q4_K_M, 136 KiB, 6\.49 bits a weight\n$/);
    expect(readdirSync(folder.file("gguf"))).toEqual(["Modelfile", "tiny.gguf"]);
    const modelfile = readFileSync(folder.file("gguf", "Modelfile"), "utf8");
    expect(modelfile).toContain("FROM ./tiny.gguf\n");
    expect(modelfile).toContain('{{ "<｜Assistant｜><think>\\n" }}');
    expect(modelfile).toContain('PARAMETER stop "<｜end▁of▁sentence｜>"\nPARAMETER temperature 0.6\n');
    expect((await open(out)).metadata.get("general.file_type")?.value).toBe(15);
  });

  it("merges an adapter on the way, into every kind of file of one read", async () => {
    const { status, stdout } = await run(
      "--model",
      model,
      "--adapter",
      adapter,
      "--out",
      folder.file("all"),
      "--type",
      "F32",
      "q8_0",
      "--json",
    );
    const { files } = JSON.parse(stdout) as Result;
    expect(status).toBe(0);
    expect(files).toEqual([
      { path: folder.file("all", "Model-152K-F32.gguf"), type: "F32", bytes: 624_000, bpw: 32 },
      { path: folder.file("all", "Model-152K-Q8_0.gguf"), type: "Q8_0", bytes: 178_816, bpw: expect.closeTo(8.589, 3) as number },
    ]);
    const merged = await openSafetensors(bytesSource(readFileSync(`${adapter}/merged.safetensors`)));
    const weights = ggufWeights(await open(files[0]!.path));
    expect(merged.tensors.size).toBeGreaterThan(3);
    for (const name of merged.tensors.keys()) {
      const expected = asTypedArray((await merged.read(name)).data, "F32");
      const got = await weights.read(name);
      expect(Math.max(...got.map((value, index) => Math.abs(value - expected[index]!))), name).toBeLessThan(2e-6);
    }
  });

  it("dequantises a model in four bits, and says what that is", async () => {
    const out = folder.file("four.gguf");
    const four = folder.file("four");
    cpSync(model, four, { recursive: true });
    cpSync(fixturePath("nf4", "model-dynamic"), four, { recursive: true });
    const { status, stderr } = await run("--model", four, "--out", out, "--type", "F32");
    expect({ status, errors: stderr.match(/error.*/g) }).toEqual({ status: 0, errors: null });
    expect(stderr).toContain("the model is in four bits");
    const known = await openSafetensors(bytesSource(readFileSync(fixturePath("nf4", "dequantized-dynamic.safetensors"))));
    const weights = ggufWeights(await open(out));
    const names = [...known.tensors.keys()].filter((key) => weights.tensors.has(key));
    expect(names.length).toBeGreaterThan(3);
    for (const name of names) {
      const { data, dtype } = await known.read(name);
      expect(dtype).toBe("BF16"); // rounded once by bitsandbytes
      expect(toBfloat16(await weights.read(name), "F32").values, name).toEqual(asTypedArray(data, "BF16"));
    }
  });

  it("writes an adapter alone", async () => {
    const out = folder.file("adapter.gguf");
    const { status, stdout } = await run("--model", model, "--adapter", adapter, "--adapter-only", "--out", out, "--type", "F16", "--json");
    expect({ status, result: JSON.parse(stdout) as Result }).toEqual({
      status: 0,
      result: { files: [{ path: out, type: "F16", bytes: readFileSync(out).byteLength }] },
    });
    const file = await open(out);
    expect([file.metadata.get("general.type")?.value, file.metadata.get("general.name")?.value]).toEqual(["adapter", "main"]);
    expect(readdirSync(folder.path)).toEqual(["adapter.gguf"]);
  });

  it("cuts, and leaves a Modelfile out then; one that is there stays", async () => {
    const { stderr, stdout } = await run("--model", model, "--out", folder.file("m.gguf"), "--type", "Q8_0", "--split-max-size", "60k");
    expect(
      stdout
        .trim()
        .split("\n")
        .map((path) => path.replace(folder.path, "")),
    ).toEqual([1, 2, 3, 4].map((part) => `/m-0000${part}-of-00004.gguf`));
    expect(stderr).toContain("no Modelfile: Ollama takes models in one file");
    writeFileSync(folder.file("Modelfile"), "mine");
    await run("--model", model, "--out", folder.file("n.gguf"), "--type", "F16", "--quiet");
    expect(readFileSync(folder.file("Modelfile"), "utf8")).toBe("mine");
  });

  it("says that the template ends answers with another token than EOS, and Ollama is told both", async () => {
    const other = changedModel(edited("tokenizer_config.json", (json) => (json["eos_token"] = "<|EOT|>")));
    const { status, stderr } = await run("--model", other, "--out", folder.file("o.gguf"), "--type", "F16");
    expect(status).toBe(0);
    expect(stderr).toMatch(/^note: the chat template ends an answer with "<｜end▁of▁sentence｜>" and never with "<\|EOT\|>"/m);
    const modelfile = readFileSync(folder.file("Modelfile"), "utf8");
    expect(modelfile.match(/^PARAMETER stop .*/gm)).toEqual(['PARAMETER stop "<｜end▁of▁sentence｜>"', 'PARAMETER stop "<|EOT|>"']);
  });

  it("weighs by an importance matrix", async () => {
    writeFileSync(folder.file("im.gguf"), imatrix);
    expect(
      (await run("--model", model, "--out", folder.file("a.gguf"), "--type", "Q4_0", "--imatrix", folder.file("im.gguf"))).status,
    ).toBe(0);
    expect((await run("--model", model, "--out", folder.file("b.gguf"), "--type", "Q4_0")).status).toBe(0);
    const [a, b] = [await open(folder.file("a.gguf")), await open(folder.file("b.gguf"))];
    const differing: string[] = [];
    for (const name of a.tensors.keys()) if (!Buffer.from(await a.read(name)).equals(await b.read(name))) differing.push(name);
    expect(differing).toEqual(["blk.0.ffn_down.weight"]);
    expect(dequantize(await a.read("blk.0.ffn_down.weight"), "Q4_0").every(Number.isFinite)).toBe(true);
    expect(a.metadata.get("quantize.imatrix.file")?.value).toBe("im.gguf");
  });
});

describe("errors are one line with status 2, and nothing is written", () => {
  const out = (): string => folder.file("out.gguf");
  it.each<[string, () => string[], RegExp]>([
    ["no type", () => [], /--type: not usable; expected F32, F16, BF16, Q8_0, .*, got none/],
    ["an unknown type", () => ["--type", "q9"], /--type: not usable; expected F32, .*, got "q9"/],
    ["a type twice", () => ["--type", "q4_k", "Q4_K_M"], /got Q4_K_M twice/],
    ["an adapter alone without one", () => ["--adapter_only"], /--adapter_only: there is no adapter/],
    [
      "an adapter alone as Q4_0",
      () => ["--adapter", adapter, "--adapter_only", "--type", "Q4_0"],
      /expected one of F32, F16, BF16, got "Q4_0"/,
    ],
    ["DoRA", () => ["--adapter", fixturePath("lora", "dora"), "--adapter_only"], /use_dora is not supported/],
    ["biases", () => ["--adapter", fixturePath("lora", "bias-all"), "--adapter_only"], /bias/],
    ["saved modules", () => ["--adapter", fixturePath("lora", "modules-to-save"), "--adapter_only"], /modules_to_save/],
    ["a size that is none", () => ["--type", "F16", "--split-max-size", "big"], /--split_max_size: .*got "big"/],
    [
      "an old importance matrix",
      () => (writeFileSync(folder.file("im.dat"), "\u0002\0\0\0"), ["--type", "F16", "--imatrix", folder.file("im.dat")]),
      /im\.dat: an importance matrix in the old format/,
    ],
    ["no importance matrix", () => ["--type", "F16", "--imatrix", folder.file("none.gguf")], /no such file/],
  ])("%s", async (_, flags, message) => {
    const given = flags();
    const outcome = await run("--model", model, "--out", out(), ...given);
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(message)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(existsSync(out())).toBe(false);
  });

  it.each<[string, (path: (file: string) => string) => void, RegExp]>([
    ["missing merges", edited("tokenizer.json", (json) => delete (json["model"] as Record<string, unknown>)["merges"]), /merges/],
    [
      "positions that GGUF cannot say",
      edited("config.json", (json) => (json["rope_scaling"] = { rope_type: "dynamic", factor: 2 })),
      /rope_type "dynamic" cannot be said in a GGUF file/,
    ],
    ["no tokenizer", (path) => rmSync(path("tokenizer.json")), /there is no tokenizer; expected the content of tokenizer\.json/],
    [
      "a missing shard",
      (path) => {
        rmSync(path("model.safetensors"));
        for (const file of readdirSync(fixturePath("model-sharded")))
          if (/safetensors/.test(file) && !/00002/.test(file)) cpSync(fixturePath("model-sharded", file), path(file));
      },
      /shard model-00002-of-00004\.safetensors is missing/,
    ],
  ])("%s", async (_, change, message) => {
    const outcome = await run("--model", changedModel(change), "--out", out(), "--type", "F16");
    expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(message)]);
    expect(outcome).toMatchObject({ status: 2, stdout: "" });
    expect(readdirSync(folder.path)).toEqual(["changed"]);
  });

  it("an adapter of another shape, merged and alone", async () => {
    const narrow = changedModel(edited("config.json", (json) => (json["intermediate_size"] = 96)));
    for (const flags of [["--type", "F16"], ["--adapter_only"]]) {
      const outcome = await run("--model", narrow, "--adapter", adapter, "--out", out(), ...flags);
      expect(errorLinesOf(outcome), outcome.stderr).toHaveLength(1);
      expect(outcome).toMatchObject({ status: 2, stdout: "" });
    }
  });

  it("a file or a folder that is there", async () => {
    writeFileSync(out(), "mine");
    const there = await run("--model", model, "--out", out(), "--type", "F16");
    expect(errorLinesOf(there)).toEqual([expect.stringMatching(/out\.gguf is there already/)]);
    expect([there.status, readFileSync(out(), "utf8")]).toEqual([2, "mine"]);
    mkdirSync(folder.file("inside"));
    const inside = await run("--model", model, "--out", folder.file("inside"), "--type", "F16");
    expect(errorLinesOf(inside)).toEqual([expect.stringMatching(/--out: .*inside is a folder; expected the path of a file/)]);
  });
});

describe("a run that ends early leaves nothing that looks finished", () => {
  it("by a signal: 130", async () => {
    const stop = new AbortController();
    const outcome = kto(["export-gguf", "--model", model, "--out", folder.file("m.gguf"), "--type", "F16"], { signal: stop.signal });
    stop.abort(new Error("stop"));
    expect(await outcome).toMatchObject({ status: 130, stdout: "" });
    expect(readdirSync(folder.path)).toEqual([]);
  });

  it("by kill -9, and the next run is whole", { timeout: 60_000 }, async () => {
    const argv = [
      "export-gguf",
      "--model",
      model,
      "--out",
      folder.file("all"),
      "--type",
      "Q2_K",
      "Q3_K_M",
      "Q4_K_M",
      "Q5_K_M",
      "Q6_K",
      "F32",
    ];
    mkdirSync(folder.file("all"));
    const child = spawn(process.execPath, [...ktoProgram, ...argv], { stdio: "ignore" });
    const watcher = watch(folder.file("all"), () => child.kill("SIGKILL"));
    const [, signal] = (await once(child, "exit")) as [number | null, string | null];
    watcher.close();
    expect(signal).toBe("SIGKILL");
    const finished = readdirSync(folder.file("all")).filter((name) => name.endsWith(".gguf")); // none, or some if the signal came late
    const left = finished.map((name) => [name, readFileSync(folder.file("all", name))] as const);
    for (const name of finished) rmSync(folder.file("all", name));
    expect((await kto(argv)).status).toBe(0);
    expect(readdirSync(folder.file("all")).filter((name) => name.endsWith(".gguf"))).toHaveLength(6);
    for (const [name, bytes] of left) expect(bytes.equals(readFileSync(folder.file("all", name))), name).toBe(true);
  });

  it("by a disk that takes no more: status 1, and the rest is as it was", { timeout: 60_000 }, async () => {
    const argv = ["export-gguf", "--model", model, "--out", folder.file("m.gguf"), "--type", "F32"];
    const limited = ["-c", 'ulimit -f 200; exec "$0" "$@"', process.execPath, ...ktoProgram, ...argv]; // 100 KiB or 200, of 624
    const child = spawn("sh", limited, {
      stdio: ["ignore", "ignore", "pipe"],
      env: { ...process.env, HF_HUB_OFFLINE: "1", TSX_DISABLE_CACHE: "1" },
    });
    let stderr = "";
    child.stderr.on("data", (part: Buffer) => (stderr += part.toString()));
    const [status] = (await once(child, "exit")) as [number | null];
    expect(stderr).toMatch(/kto: error\[WRITE\]: .*m\.gguf was not written; expected write to succeed, got EFBIG/);
    expect(status).toBe(1);
    expect(readdirSync(folder.path)).toEqual([]);
  });
});

/** Changes a JSON file of a model. */
function edited(file: string, change: (json: Record<string, unknown>) => unknown) {
  return (path: (file: string) => string): void => {
    const json = JSON.parse(readFileSync(path(file), "utf8")) as Record<string, unknown>;
    change(json);
    writeFileSync(path(file), JSON.stringify(json));
  };
}
