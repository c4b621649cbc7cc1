import { getPeftModel, type PeftModel } from "@kto/lora";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { expectNoBuffersLeft } from "../../../testing/src/no-buffers-left.js";
import { GenerationEngine, type Row, type RowRequest } from "../index.js";
import { greedySampling as greedy, idsOf, promptOf } from "../testing/rows.js";

let device: Device;
let model: DecoderForCausalLM;
let adapted: PeftModel;

beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  const config = { r: 4, loraAlpha: 16, targetModules: ["q_proj", "v_proj", "down_proj"], initLoraWeights: false };
  adapted = getPeftModel(model, config, { adapterName: "mine", seed: 5 });
  model.prepare(512); // tables are the model's to keep
});
afterAll(() => {
  adapted.dispose();
  model.dispose();
  device.dispose();
});
expectNoBuffersLeft(() => device);

const pages = (count: number): number => count * 64;
const drawn: RowRequest["sampling"] = { temperature: 1.1, topK: 60, topP: 0.98, minP: 0, repetitionPenalty: 1.15, seed: [7, 1] };

function request(index: number, sampling: RowRequest["sampling"], given: Partial<RowRequest> = {}): RowRequest {
  const promptIds = promptOf(63 - index, index);
  return { promptIds, maxNewTokens: 140, eosTokenIds: [], sampling: { ...sampling, seed: [index, 9] }, adapters: [], ...given };
}

/** Greedy ones, drawn ones with a penalty, and log-probabilities; one with an adapter, in passes of its own. */
const requests: readonly RowRequest[] = [
  request(0, greedy),
  request(1, drawn, { adapters: ["mine"] }),
  request(2, drawn, { logprobs: 2 }),
  request(3, drawn, { logprobs: 0 }),
  request(4, { ...greedy, repetitionPenalty: 1.3 }, { maxNewTokens: 30 }),
];

function engineOf(maxCachedTokens: number): GenerationEngine {
  return new GenerationEngine(model, {
    maxRows: 8,
    maxCachedTokens,
    withAdapters: (names, body) => adapted.withAdapters([...names], body),
  });
}

/** Runs a body and counts how often a row was computed from its beginning: once when it joins, and once for every time that it was put back. */
async function beginnings(body: () => Promise<void>): Promise<number> {
  const packed = vi.spyOn(model, "packRows");
  try {
    await body();
    return packed.mock.calls.flatMap(([, options]) => options?.firstPositions ?? []).filter((first) => first === 0).length;
  } finally {
    packed.mockRestore();
  }
}

describe("rows that outgrow the cache together", () => {
  it("are put back and go on as if nothing had happened", async () => {
    const expected: Row[] = [];
    using roomy = engineOf(pages(64));
    for (const one of requests) {
      const row = roomy.start({ ...one });
      await idsOf(row);
      expected.push(row);
    }
    const order: number[] = [];
    const numBeginnings = await beginnings(async () => {
      using engine = engineOf(pages(6));
      const rows = requests.map((one) => engine.start(one));
      await Promise.all(rows.map((row, index) => idsOf(row).then(() => order.push(index))));
      rows.forEach((row, index) => {
        expect(row.ids, `row ${index}`).toEqual(expected[index]!.ids);
        expect(row.finishReason).toBe("length");
        expect(row.logprobs.map(({ id }) => id)).toEqual(expected[index]!.logprobs.map(({ id }) => id));
        row.logprobs.forEach(({ logprob }, at) => expect(Math.abs(logprob - expected[index]!.logprobs[at]!.logprob)).toBeLessThan(1e-4));
      });
    });
    expect(numBeginnings).toBeGreaterThanOrEqual(requests.length + 2);
    expect(order[0]).toBe(0); // the one that joined first was never put back
  });

  it("join while all have room to grow a little, not when the whole of them fits", async () => {
    using engine = engineOf(pages(9)); // three whole rows of six pages do not fit
    const rows = [0, 1, 2].map((index) => engine.start(request(index, greedy, { maxNewTokens: 340 })));
    const firstIds = await Promise.all(
      rows.map(async (row) => {
        for await (const id of row) return id;
        return undefined;
      }),
    );
    expect(firstIds).not.toContain(undefined);
    expect(rows.every(({ ids }) => ids.length < 20)).toBe(true);
    for (const row of rows) row.finish("cancelled");
    await idsOf(engine.start(request(3, greedy, { maxNewTokens: 1 }))); // until what was under way is over
  });
});

it("a row that was put back and is left meanwhile is not computed again", async () => {
  const numBeginnings = await beginnings(async () => {
    using engine = engineOf(pages(6));
    const [first, second] = [0, 1].map((index) => engine.start(request(index, greedy, { maxNewTokens: 300 }))) as [Row, Row];
    const ended = idsOf(second);
    const going = first[Symbol.asyncIterator]();
    while (first.ids.length < 220) await going.next();
    second.finish("cancelled");
    const given = await ended;
    expect(second.seenRow).toBeUndefined(); // it waited
    expect(given.length).toBeGreaterThan(100);
    expect(given.length).toBeLessThan(200);
    while (!(await going.next()).done);
    expect(first.ids).toHaveLength(300);
    expect(await idsOf(engine.start(request(2, greedy, { maxNewTokens: 3 })))).toHaveLength(3);
  });
  expect(numBeginnings).toBe(3);
});

it("a row that alone outgrows the cache fails with what it has, and those that wait are answered", async () => {
  using engine = engineOf(pages(2));
  const large = engine.start(request(0, greedy));
  const small = engine.start(request(1, greedy, { maxNewTokens: 4 }));
  const larger = engine.start(request(2, greedy, { promptIds: Array.from({ length: 129 }, () => 5) }));
  const filling = engine.start(request(2, greedy, { promptIds: Array.from({ length: 128 }, () => 5) }));
  const last = engine.start(request(3, greedy, { maxNewTokens: 2 })); // what is before it fails while nothing is under way
  const ended = await Promise.allSettled([large, small, larger, filling, last].map(idsOf));
  const isFull = {
    status: "rejected",
    reason: { message: expect.stringContaining("cache is full; expected at most 128 tokens") as string },
  };
  const isAnswered = { status: "fulfilled" };
  expect(ended).toMatchObject([isFull, isAnswered, isFull, isFull, isAnswered]);
  expect(small.ids).toHaveLength(4);
  expect(large.ids.length).toBeGreaterThan(60);
  expect([larger, filling, last].map(({ ids }) => ids.length)).toEqual([0, 1, 2]);
});
