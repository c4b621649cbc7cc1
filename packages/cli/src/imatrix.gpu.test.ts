import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { bytesSource } from "@kto/core";
import { type ImportanceMatrix, readImportanceMatrix } from "@kto/gguf-export";
import { fixturePath } from "@kto/testing/workspace";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder, type Outcome } from "./testing/run-kto.js";

const model = fixturePath("model");

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
});
afterEach(() => folder[Symbol.dispose]());

const run = (...argv: string[]): Promise<Outcome> => kto(["imatrix", "--model", model, "--dtype", "float32", ...argv]);
const read = (path: string): Promise<ImportanceMatrix> => readImportanceMatrix(bytesSource(readFileSync(path), path));

function text(words: number): string {
  const path = folder.file("text.txt");
  writeFileSync(path, "is the one that ".repeat(words));
  return path;
}

describe("kto imatrix", () => {
  it("runs a text in pieces with BOS before each, and export-gguf takes what it writes", async () => {
    const out = folder.file("im.gguf");
    const { status, stdout } = await run("--data", text(60), "--out", out, "--chunk-size", "32", "--json");
    const { path, tokens } = JSON.parse(stdout) as { path: string; tokens: number };
    expect({ status, path }).toEqual({ status: 0, path: out });
    const matrix = await read(out);
    expect(matrix).toMatchObject({ datasets: ["text.txt"], chunkSize: 32, chunkCount: tokens / 32 });
    expect(tokens).toBeGreaterThan(64);
    expect([...matrix.entries.keys()].filter((name) => name.includes("blk.1."))).toHaveLength(7);
    expect([...new Set(Array.from(matrix.entries.values(), ({ count }) => count))]).toEqual([tokens]);
    const exported = await kto(["export-gguf", "--model", model, "--imatrix", out, "--out", folder.file("m.gguf"), "--type", "Q4_K_M"]);
    expect(exported.status, exported.stderr).toBe(0);
  });

  it("runs rows as they are trained on, with an adapter, which changes what later layers see", async () => {
    const rows = folder.file("rows.jsonl");
    writeFileSync(rows, `${JSON.stringify({ prompt: "What is it", completion: " it is one", label: true })}\n`.repeat(3));
    const adapter = ["--adapter", fixturePath("lora", "main")];
    expect((await run("--data", rows, "--out", folder.file("a.gguf"))).status).toBe(0);
    expect((await run("--data", rows, "--out", folder.file("b.gguf"), ...adapter)).status).toBe(0);
    const [plain, adapted] = [await read(folder.file("a.gguf")), await read(folder.file("b.gguf"))];
    const sums = ({ entries }: ImportanceMatrix, name: string): Float32Array => entries.get(name)!.sumSquares;
    expect(sums(adapted, "blk.0.attn_q.weight")).toEqual(sums(plain, "blk.0.attn_q.weight"));
    expect(sums(adapted, "blk.1.ffn_down.weight")).not.toEqual(sums(plain, "blk.1.ffn_down.weight"));
    expect(plain.chunkCount).toBe(3);
  });

  it("writes nothing where something is, of no text, without a file, or when it is stopped", async () => {
    writeFileSync(folder.file("there"), "mine");
    const utf16 = folder.file("utf16.txt");
    writeFileSync(utf16, "\ufeffis the one", "utf16le");
    const cases: [string[], RegExp][] = [
      [["--data", text(1), "--out", folder.file("there")], /--out: .*there is there already/],
      [["--data", folder.file("none.txt"), "--out", folder.file("x")], /none\.txt: no such file/],
      [["--data", text(1), "--out", folder.file("x"), "--strict"], /--strict: has no effect on a text/],
      [["--data", text(1), "--out", folder.file("x"), "--chunk_size", "1"], /--chunk_size: not usable; expected an integer of at least 2/],
      [
        ["--data", text(1), "--out", folder.file("x"), "--chunk_size", "4097"],
        /--chunk_size: longer than .* expected at most 4096, got 4097/,
      ],
      [["--data", utf16, "--out", folder.file("x")], /utf16\.txt is no text in UTF-8/],
    ];
    for (const [argv, message] of cases) {
      const outcome = await run(...argv);
      expect(errorLinesOf(outcome), outcome.stderr).toEqual([expect.stringMatching(message)]);
      expect(outcome).toMatchObject({ status: 2, stdout: "" });
    }
    writeFileSync(folder.file("empty.md"), "");
    expect(errorLinesOf(await run("--data", folder.file("empty.md"), "--out", folder.file("x")))).toEqual([
      expect.stringMatching(/there is no text in .*empty\.md/),
    ]);
    const stop = new AbortController();
    const running = kto(["imatrix", "--model", model, "--data", text(300), "--out", folder.file("x"), "--chunk-size", "4"], {
      signal: stop.signal,
      onStderr: () => stop.abort(new Error("stop")),
      terminal: { isTTY: true, columns: 80 },
    });
    expect(await running).toMatchObject({ status: 130, stdout: "" });
    expect(existsSync(folder.file("x"))).toBe(false);
    expect(readdirSync(folder.path).filter((name) => name.endsWith(".tmp"))).toEqual([]);
  });
});
