import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { ConfigError } from "../errors.js";
import { readConfigFile } from "./read-config.js";
import { trainConfig } from "./train-config.js";

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "kto-yaml-"))));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

async function read(content: string | Uint8Array, name = "kto.yaml"): Promise<Record<string, unknown>> {
  const path = join(folder, name);
  writeFileSync(path, content);
  return Object.fromEntries((await readConfigFile(path)).values);
}

const times = (count: number, line: (index: number) => string, between = "\n"): string =>
  Array.from({ length: count }, (_, index) => line(index)).join(between);

describe("what a config may be", () => {
  it.each<[what: string, content: string | Uint8Array, values: object]>([
    ["nothing", "", {}],
    ["comments", "# beta: 1\n", {}],
    ["null", "null\n", {}],
    ["one document between marks", "---\nbeta: 0.5\n...\n", { beta: 0.5 }],
    [
      "JSON",
      '{\n\t"beta": 5e-1, "lora_target_modules": ["q_proj",\t"v_proj"], "max_length": null\n}',
      { beta: 0.5, lora_target_modules: ["q_proj", "v_proj"], max_length: null },
    ],
    ["with a byte-order mark and CRLF", "\ufeffbeta: 0.5\r\nseed: 1\r\n", { beta: 0.5, seed: 1 }],
    ["UTF-16", new Uint8Array(Buffer.from("\ufeffoutput_dir: größe\n", "utf16le")), { output_dir: "größe" }],
    ["UTF-16, the other end first", new Uint8Array(Buffer.from("\ufeffseed: 7\n", "utf16le").swap16()), { seed: 7 }],
    ["numbers of YAML 1.1 and 1.2", "a: 1e-6\nb: 1_000\nc: 5.0e-7\nd: +5\ne: -1", { a: 1e-6, b: 1000, c: 5e-7, d: 5, e: -1 }],
    ["a merge", "base: &base {seed: 1, beta: 2}\nrun: {<<: *base, beta: 3}", { base: { seed: 1, beta: 2 }, run: { seed: 1, beta: 3 } }],
    ["several merged at the top", "<<: [{seed: 1, beta: 2}, {seed: 5, r: 3}]\nbeta: 4", { seed: 1, r: 3, beta: 4 }],
    ["a date is text", "run_name: 2024-01-01", { run_name: "2024-01-01" }],
  ])("%s", async (_what, content, values) => expect(await read(content)).toEqual(values));

  it("a list that holds itself is a value like others, and refused by its field", async () => {
    const path = join(folder, "cycle.yaml");
    writeFileSync(path, "model: m\ndata: t\nuse_peft: true\nlora_target_modules: &a [*a]\nlr_scheduler_kwargs: &b {num_cycles: *b}\n");
    const given = await readConfigFile(path);
    expect(() => trainConfig(given)).toThrow(ConfigError);
    expect(() => trainConfig(given)).toThrow(/lora_target_modules \(.*cycle\.yaml\): not usable; expected .*, got \[/);
  });
});

describe("what it may not be", () => {
  it.each<[what: string, content: string | Uint8Array, message: RegExp]>([
    [
      "a key twice",
      "beta: 1\nseed: 2\nbeta: 3\n",
      /kto\.yaml: not YAML; .* got duplicated mapping key in line 3, "beta: 3"; mend that line$/,
    ],
    ["a tab", "lr_scheduler_kwargs:\n\tpower: 1\n", /got tab characters must not be used in indentation in line 2, "power: 1"; mend/],
    ["two documents", "beta: 1\n---\nbeta: 2\n", /there are 2 documents in the config; expected one/],
    ["a list", "- beta\n", /the config is not a map; expected lines "field: value", got \["beta"\]/],
    ["a word", "beta\n", /the config is not a map; .* got "beta"/],
    ["an unknown alias", "beta: *x\n", /got unidentified alias "x" in line 1, "beta: \*x"/],
    ["a tag of Python", "max_memory: !!python/tuple [1]\n", /got unknown sequence tag/],
    ["bytes that are no text", Uint8Array.of(0x62, 0x3a, 0x20, 0xff), /the config is no text; expected UTF-8/],
    ["UTF-16 without its mark", new Uint8Array(Buffer.from("beta: 1\n", "utf16le")), /null byte is not allowed/],
    ["too many fields", times(1001, (index) => `k${index}: 1`), /there are too many fields in the config; expected at most 1000, got 1001/],
    ["too large", " ".repeat(2 ** 20 + 1), /the config is too large; expected at most 1048576 bytes, got 1048577/],
  ])("%s", async (_what, content, message) => {
    await expect(read(content)).rejects.toThrow(ConfigError);
    await expect(read(content)).rejects.toThrow(message);
  });
});

it.each<[what: string, content: string]>([
  ["80,000 keys", times(80_000, (index) => `k${index}: 1`)],
  ["80,000 keys on a line", `a: {${times(80_000, (index) => `k${index}: 1`, ", ")}}`],
  ["anchors", `a: [${times(90_000, (index) => `&a${index} 1`, ", ")}]`],
  ["aliases", `a: [&x 1, ${times(250_000, () => "*x", ", ")}]`],
  ["aliases of aliases", `a0: &a0 [x]\n${times(30, (index) => `a${index + 1}: &a${index + 1} [${times(9, () => `*a${index}`, ", ")}]`)}`],
  ["lists in lists", `a: ${"[".repeat(500_000)}`],
  ["keys of keys", "? ".repeat(500_000)],
  ["items of items", "- ".repeat(500_000)],
  ["maps in maps", times(1300, (index) => `${" ".repeat(index)}a:`)],
  ["merges", `base: &b {x: 1}\n${times(40_000, (index) => `k${index}: {<<: *b}`)}`],
  ["a long line", `a: ${"x".repeat(1_000_000)}`],
  ["documents", "---\n".repeat(250_000)],
  ["comments", "#\n".repeat(500_000)],
])("%s of a megabyte are read or refused in a second", async (_what, content) => {
  writeFileSync(join(folder, "large.yaml"), content.slice(0, 2 ** 20));
  const before = process.cpuUsage();
  const error = await readConfigFile(join(folder, "large.yaml"))
    .then((given) => trainConfig(given))
    .catch((caught: unknown) => caught);
  const { user } = process.cpuUsage(before);
  expect(error).toBeInstanceOf(ConfigError);
  expect(user / 1e6).toBeLessThan(4); // a second alone; four where a collector and other work share the processor
});
