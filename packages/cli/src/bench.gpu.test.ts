import { writeFileSync } from "node:fs";
import { fixturePath } from "@kto/testing/workspace";
import { expect, it } from "vitest";
import { errorLinesOf, kto, temporaryFolder } from "./testing/run-kto.js";

it("says what each case came to, in text and as a JSON line", async () => {
  const shown = await kto(["bench", "quantizing", "--quick"]);
  expect(shown.status).toBe(0);
  expect(shown.stdout).toMatch(/^quantizing · tiny · .*\n  bf16 → NF4 128 × 64 +[\d.e-]+ ms · [\d.e-]+ GB\/s\n  NF4 → f(16|32) 128 × 64/);
  const { status, stdout } = await kto(["bench", "gguf", "tokenizing", "--quick", "--json", "--model", fixturePath("model")], {
    env: { KTO_COMMIT: "abc" },
  });
  expect(status).toBe(0);
  const records = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(records.map((record) => record["case"])).toEqual(["tokenizing", "gguf"]);
  for (const record of records)
    expect(record).toMatchObject({
      shape: "tiny",
      device: null,
      commit: "abc",
      date: expect.stringMatching(/^\d{4}-\d\d-\d\d$/),
      versions: { node: process.versions.node },
    });
});

it("shows another program's figures beside its own, and refuses a file that holds none", async () => {
  using folder = temporaryFolder();
  writeFileSync(
    folder.file("figures.json"),
    JSON.stringify({ program: "another", device: "", date: "2026-12-01", milliseconds: { "bf16 → NF4 128 × 64": 1e-3 } }),
  );
  expect((await kto(["bench", "quantizing", "--quick", "--beside", folder.file("figures.json")])).stdout).toMatch(/× the time of another/);
  for (const text of ["{}", "no JSON"]) {
    writeFileSync(folder.file("figures.json"), text);
    const refused = await kto(["bench", "quantizing", "--beside", folder.file("figures.json")]);
    expect(refused).toMatchObject({ status: 2, stdout: "" });
    expect(errorLinesOf(refused)).toHaveLength(1);
  }
});

it.each([
  [["loading"], "bench: loading needs a model; expected --model"],
  [["loading", "--model", "no-such-folder"], "no-such-folder does not exist"],
  [["kernels", "--shape", "13b"], "--shape: not usable; expected one of tiny, 1.5b, 7b"],
])("refuses what it cannot do before anything is timed: %j", async (argv, text) => {
  const refused = await kto(["bench", ...argv]);
  expect(refused).toMatchObject({ status: 2, stdout: "" });
  expect(refused.stderr).toContain(text);
});

it("ends at a signal with what is done on stdout", async () => {
  const stop = new AbortController();
  const onStdout = (): void => stop.abort(new DOMException("stopped", "AbortError"));
  const { status, stdout } = await kto(["bench", "quantizing", "gguf", "--quick", "--json"], { signal: stop.signal, onStdout });
  expect(status).toBe(130);
  expect(stdout.trimEnd().split("\n")).toHaveLength(1);
});
