import { readFileSync } from "node:fs";
import { Ajv } from "ajv";
import { parse } from "yaml";
import { describe, expect, it } from "vitest";
import { madeFiles, pageParts, schemaFile, withPart } from "./config-pages.js";

const read = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), "utf8");

describe("made from the declarations of fields (npm run config:write)", () => {
  it.each(pageParts().map((part) => [part.page, part.name, part] as const))("%s: %s", (page, _name, part) => {
    expect(withPart(read(page), part)).toBe(read(page));
  });

  it.each(madeFiles().map(({ path, content }) => [path, content] as const))("%s", (path, content) => expect(read(path)).toBe(content));
});

describe("@kto/trainer/kto.schema.json", () => {
  const validate = new Ajv({ strict: true, allowUnionTypes: true }).compile(JSON.parse(read(schemaFile().path)) as object);
  const quickstart = parse(read("examples/quickstart/kto.yaml")) as Record<string, unknown>;

  it.each(["examples/quickstart/kto.yaml", "bench/tutorial/kto.yaml"])("takes %s", (path) => {
    validate(parse(read(path)));
    expect(validate.errors ?? []).toEqual([]);
  });

  it("is what the package gives under that name", () => {
    const { exports, files } = JSON.parse(read("packages/trainer/package.json")) as { exports: Record<string, string>; files: string[] };
    expect(exports["./kto.schema.json"]).toBe("./kto.schema.json");
    expect(files).toContain("kto.schema.json");
  });

  it.each([
    ["a misspelt field", { learnig_rate: 1e-5 }, false],
    ["a value out of range", { per_device_train_batch_size: 0 }, false],
    ["a word for a number", { beta: "much" }, false],
    ["no such choice", { loss_type: "dpo" }, false],
    ["a refused field", { dataset_mixture: "all" }, false],
    ["a refused field that asks for nothing", { load_in_8bit: false }, true],
    ["a field without effect", { run_name: "first" }, true],
    ["another spelling", { model: "m", data: "rows.jsonl", evaluation_strategy: "no" }, true],
    ["a size", { max_memory: "4GiB" }, true],
    ["a map of sizes", { max_memory: { 0: "4GiB", cpu: "30GiB" } }, true],
    ["a loss of another method", { loss_type: "sigmoid" }, false],
    ["a loss of its own", { method: "dpo", desirable_weight: undefined, loss_type: ["sigmoid", "sft"] }, true],
    ["a loss of KTO with DPO", { method: "dpo", desirable_weight: undefined, loss_type: "kto" }, false],
    ["a field of KTO with DPO", { method: "dpo", desirable_weight: 1 }, false],
    ["a field of SFT with KTO", { packing: true }, false],
    ["a field of SFT that asks for nothing", { packing: false }, true],
    ["a field of SFT", { method: "sft", desirable_weight: undefined, beta: undefined, packing: true }, true],
    ["no such method", { method: "ppo" }, false],
    ["no limit", { max_length: null }, true],
    ["a list of layers", { lora_target_modules: ["q_proj", "v_proj"] }, true],
  ])("%s: %j", (_what, change, holds) => {
    const fields = Object.entries({ ...quickstart, ...change }).filter(([, value]) => value !== undefined);
    expect(validate(Object.fromEntries(fields))).toBe(holds);
  });
});
