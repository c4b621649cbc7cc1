import { writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

import { inputAt } from "./inputs.js";
import { mutateBytes } from "./mutate-bytes.js";
import { mutateJson } from "./mutate-json.js";
import { mutateText } from "./mutate-text.js";
import { Random } from "./random.js";
import { targets as faulty } from "./testing/faulty-targets.js";
import { targets } from "./targets.js";
import { fuzzTarget, readAlone } from "./watch.js";

const module = new URL("testing/faulty-targets.ts", import.meta.url).href;

describe("a reader that fails is found, alone in a process, and the others go on", () => {
  it.each([
    ["sound", []],
    ["untyped", [{ kind: "untyped error", detail: expect.stringMatching(/^TypeError: x is undefined\n\s+at /) }]],
    ["slow", [{ kind: "too slow", detail: expect.stringMatching(/^\d{4} ms for 3 bytes$/) }]],
    ["large", [{ kind: "too much memory", detail: expect.stringMatching(/^\d{3} MiB for 3 bytes$/) }]],
    ["fatal", [{ kind: "the process ended", detail: "exit 133" }]],
  ])("%s", async (name, failures) => {
    const target = faulty.find((one) => one.name === name)!;
    const outcome = await fuzzTarget(target, { seed: 1, milliseconds: 0, module });
    expect(outcome).toMatchObject({ target: name, count: 2, failures });
    expect(outcome.failures).toHaveLength(failures.length);
  });
});

it("a reader that takes much memory is found by a process that has had more", async () => {
  const held = Buffer.alloc(700 * 2 ** 20, 1);
  const large = faulty.find(({ name }) => name === "large")!;
  const { failures } = await fuzzTarget(large, { seed: 1, milliseconds: 0, module });
  expect(failures).toMatchObject([{ kind: "too much memory" }]);
  expect(held.at(-1)).toBe(1);
});

describe("an input as a file", () => {
  let folder: string;
  beforeAll(async () => (folder = await mkdtemp(join(tmpdir(), "kto-fuzz-test-"))));
  afterAll(() => rm(folder, { recursive: true }));

  it("is read alone", async () => {
    writeFileSync(join(folder, "bad"), "bad");
    writeFileSync(join(folder, "good"), "good");
    expect(await readAlone("untyped", join(folder, "bad"), module)).toMatchObject({ kind: "untyped error" });
    expect(await readAlone("untyped", join(folder, "good"), module)).toBeUndefined();
  });
});

it.each([
  ["bytes", mutateBytes],
  ["text", mutateText],
  ["JSON", mutateJson],
])("changes of %s repeat for a seed and differ from each other", (_kind, mutate) => {
  const seed = new TextEncoder().encode('{"a": [1, {"b": "text"}], "c": null}');
  const made = (from: number): string[] =>
    Array.from({ length: 200 }, (_, index) => new TextDecoder().decode(mutate(seed, new Random(from + index))));
  expect(made(1)).toEqual(made(1));
  expect(new Set(made(1)).size).toBeGreaterThan(120);
});

it("reads every target's own seeds, and each has a name of its own", async () => {
  expect(new Set(targets.map(({ name }) => name)).size).toBe(targets.length);
  for (const target of targets) {
    const seeds = await target.seeds();
    expect(seeds.length, target.name).toBeGreaterThan(0);
    expect(inputAt(target, seeds, 1, 0)).toEqual(seeds[0]);
    await target.read(seeds[0]!); // the first is a good file: no error at all
  }
});
