import { writeFileSync } from "node:fs";
import type { DataRow } from "@kto/datasets";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { trainConfig } from "../config/train-config.js";
import { kto, temporaryFolder } from "../testing/run-kto.js";
import { Console } from "../render/console.js";
import { hubAccess, type HubAccess } from "./hub-access.js";
import { openTrainData } from "./train-data.js";

let folder: ReturnType<typeof temporaryFolder>;
beforeEach(() => {
  folder = temporaryFolder();
  for (const [name, count] of [["a", 6], ["b", 3]] as const) write(name, count, (index) => ({ prompt: "p", completion: `${name}${index}`, label: true })); // prettier-ignore
});
afterEach(() => folder[Symbol.dispose]());

function write(name: string, count: number, row: (index: number) => DataRow): void {
  writeFileSync(folder.file(`${name}.jsonl`), Array.from({ length: count }, (_, index) => `${JSON.stringify(row(index))}\n`).join(""));
}

const io = { stdout: { write: () => true }, stderr: { write: () => true }, env: {} };
const noHub: HubAccess = hubAccess(io, new Console(io, { quiet: true }));
const place = (name: string): string => folder.file(`${name}.jsonl`);

/** The completions of what a config trains on, and what is said of them. */
async function trainOn(fields: Record<string, unknown>): Promise<{ completions: unknown[]; notes: string[] }> {
  const values = new Map(Object.entries({ model: "m", use_peft: true, ...fields }));
  const config = trainConfig({ values, places: new Map() }, {});
  const notes: string[] = [];
  const dataset = await openTrainData(config.values, noHub, { onNote: (note) => notes.push(note) });
  return { completions: dataset.toArray().map(({ completion }) => completion), notes };
}

describe("datasets", () => {
  it("without weights are one after the other", async () => {
    const { completions, notes } = await trainOn({ datasets: [{ path: place("b") }, { path: place("a"), weight: null }] });
    expect(completions).toEqual(["b0", "b1", "b2", "a0", "a1", "a2", "a3", "a4", "a5"]);
    expect(notes).toEqual(["datasets: 3 + 6 rows, one part after the other"]);
  });

  it("with weights are mixed under the seed until the first is through, in the order of datasets' interleave_datasets", async () => {
    const mixed = (seed: number): ReturnType<typeof trainOn> =>
      trainOn({ seed, datasets: [{ path: place("a"), weight: 2 }, { path: place("b"), weight: 1 }] }); // prettier-ignore
    const { completions, notes } = await mixed(42);
    // numpy.random.default_rng(42).random(): 0.774 0.439 0.859 0.697 …, of which those below 2/3 draw from a
    expect(completions.slice(0, 4)).toEqual(["b0", "a0", "b1", "b2"]);
    expect(completions).toHaveLength(4);
    expect(notes).toEqual(["datasets: 4 rows, drawn from 6 + 3 by weight until the first part was through"]);
    expect((await mixed(1)).completions).not.toEqual(completions);
    expect((await mixed(42)).completions).toEqual(completions);
  });

  it("are cut by max_train_samples, and renamed by the fields of columns", async () => {
    write("c", 2, (index) => ({ prompt: "p", answer: `c${index}`, label: false }));
    const { completions } = await trainOn({ datasets: [{ path: place("c") }], completion_column: "answer", max_train_samples: 1 });
    expect(completions).toEqual(["c0"]);
  });

  it("keep each its layout, under its name", async () => {
    write("pairs", 1, () => ({ prompt: "p", chosen: "x", rejected: "y" }));
    const values = new Map<string, unknown>(
      Object.entries({ model: "m", use_peft: true, datasets: [{ path: place("a") }, { path: place("pairs") }] }),
    );
    const config = trainConfig({ values, places: new Map() }, {});
    const { parts, length } = await openTrainData(config.values, noHub, { onNote: () => {} });
    expect(parts!.parts.map(({ name }) => name)).toEqual([
      expect.stringMatching(/^datasets\[0\] ".*a\.jsonl"$/),
      expect.stringMatching(/^datasets\[1\] ".*pairs\.jsonl"$/),
    ]);
    expect([parts!.partOf(0), parts!.partOf(length - 1)]).toEqual([0, 1]);
  });

  it.each([
    ["a part without path", [{ name: "x" }], /--datasets: not usable; expected a list of maps with path.*got \[\{"name":"x"\}\]/],
    ["a key that there is not", [{ path: "a", data_dir: "x" }], /--datasets: not usable/],
    ["a weight of 0", [{ path: "a", weight: 0 }], /--datasets: not usable/],
    [
      "weights of some parts alone",
      [{ path: "a", weight: 1 }, { path: "b" }],
      /datasets: some parts have a weight and some have none; expected 2 weights, or none, got 1/,
    ],
  ])("%s is refused in one line", async (_, datasets, says) => {
    const { status, stderr } = await kto(["train", "--model", "m", "--use_peft", "--datasets", JSON.stringify(datasets)]);
    expect(status).toBe(2);
    expect(stderr.replaceAll(/\s+/g, " ")).toMatch(says);
    expect(stderr.match(/kto: error/g)).toHaveLength(1);
  });

  it("beside another place of rows are refused; an empty list asks for nothing", async () => {
    const given = ["train", "--model", "m", "--use_peft", "--train_file", "t"];
    const { status, stderr } = await kto([...given, "--datasets", '[{"path": "a"}]']);
    expect(status).toBe(2);
    expect(stderr.replaceAll(/\s+/g, " ")).toMatch(
      /--datasets: there is a train_file too; expected one place of rows, got both; remove one/,
    );
    expect((await trainOn({ train_file: place("b"), datasets: [] })).completions).toEqual(["b0", "b1", "b2"]);
  });
});
