import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { GenerationEngine, type RowRequest } from "../index.js";
import { greedySampling, idsOf, promptOf } from "../testing/rows.js";
import { DecodePass } from "./decode-pass.js";

let device: Device;
let model: DecoderForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

/** Passes that the engine records before it reads the first of them. */
const passesAhead = 3;

interface Asked {
  length: number;
  eosTokenIds?: readonly number[];
  /** New tokens that are expected, where an end token comes before. */
  ends?: number;
}

const request = (index: number, { length, eosTokenIds = [] }: Asked): RowRequest => ({
  promptIds: promptOf(9 + index, index),
  maxNewTokens: length,
  eosTokenIds,
  sampling: greedySampling,
});

interface Cost {
  /** Of each decode pass, in their order. */
  passes: { rows: number; dispatches: number }[];
  /** By the host. */
  bytesRead: number;
  tokens: number;
  ids: number[][];
}

/** What it takes to answer these together. */
async function costOf(asked: readonly Asked[]): Promise<Cost> {
  const passes: Cost["passes"] = [];
  const run = DecodePass.prototype.run;
  const spiedRun = vi.spyOn(DecodePass.prototype, "run").mockImplementation(function (this: DecodePass) {
    const before = device.recorder.numDispatches;
    run.call(this);
    passes.push({ rows: this.rows.length, dispatches: device.recorder.numDispatches - before });
  });
  let bytesRead = 0;
  const map = GPUBuffer.prototype.getMappedRange;
  const spiedMap = vi.spyOn(GPUBuffer.prototype, "getMappedRange").mockImplementation(function (this: GPUBuffer, ...range) {
    if (this.usage & GPUBufferUsage.MAP_READ) bytesRead += range[1] ?? this.size;
    return map.apply(this, range);
  });
  try {
    using engine = new GenerationEngine(model, { maxRows: 8 });
    const rows = asked.map((one, index) => engine.start(request(index, one)));
    const ids = await Promise.all(rows.map(idsOf));
    expect(ids.map(({ length }) => length)).toEqual(asked.map((one) => one.ends ?? one.length));
    return { passes, bytesRead, tokens: ids.flat().length, ids };
  } finally {
    spiedRun.mockRestore();
    spiedMap.mockRestore();
  }
}

describe("rows of 16 to 512 new tokens together", () => {
  const lengths = [16, 24, 32, 48, 64, 96, 128, 512];

  it("take the passes of the longest, each for the rows that have tokens left; of every token four bytes are read", async () => {
    const { passes, bytesRead, tokens } = await costOf(lengths.map((length) => ({ length })));
    const alone = await costOf([{ length: 40 }]);
    expect(passes).toHaveLength(511); // the first token is drawn with the prompt
    expect(passes.map(({ rows }) => rows)).toEqual(passes.map((_, pass) => lengths.filter((length) => length > pass + 1).length));
    const withOneLeft = passes.filter(({ rows }) => rows === 1);
    expect(withOneLeft).toHaveLength(512 - 128);
    expect(new Set(withOneLeft.map(({ dispatches }) => dispatches))).toEqual(new Set(alone.passes.map(({ dispatches }) => dispatches)));
    expect(bytesRead).toBeGreaterThanOrEqual(4 * tokens);
    expect(bytesRead).toBeLessThanOrEqual(8 * tokens);
  });

  it("a row that ends at an end token takes part in no more passes than were recorded ahead", async () => {
    const { ids } = await costOf([{ length: 30 }]);
    const at = ids[0]!.findIndex((id, index) => index >= 5 && !ids[0]!.slice(0, index).includes(id));
    const { passes } = await costOf([{ length: 30, eosTokenIds: [ids[0]![at]!], ends: at + 1 }, { length: 60 }]);
    expect(passes.length).toBe(59);
    const numTogether = passes.filter(({ rows }) => rows === 2).length;
    expect(numTogether).toBeGreaterThanOrEqual(at);
    expect(numTogether).toBeLessThanOrEqual(at + passesAhead + 1);
  });
});
