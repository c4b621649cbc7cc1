import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/qwen2/node";
import { requestDevice, type Device } from "@kto/tensor";
import { fixturePath, readFixtureJsonl } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { GenerationEngine, type Row, type RowRequest } from "../index.js";

interface Greedy {
  prompt_ids: number[];
  greedy: { ids: number[]; trusted: number };
  "repetition_penalty_1.1": { ids: number[]; trusted: number };
}

let device: Device;
let model: DecoderForCausalLM;
const greedy = readFixtureJsonl<Record<string, unknown>>("generation/greedy.jsonl") as unknown as Greedy[];

beforeAll(async () => {
  device = await requestDevice();
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterAll(() => {
  model.dispose();
  device.dispose();
});

function request(
  promptIds: number[],
  { maxNewTokens = 64, eosTokenIds = [], ...sampling }: Partial<RowRequest & RowRequest["sampling"]> = {},
): RowRequest {
  return {
    promptIds,
    maxNewTokens,
    eosTokenIds,
    sampling: { temperature: 0, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2], ...sampling },
  };
}

async function idsOf(row: Row): Promise<number[]> {
  const ids: number[] = [];
  for await (const id of row) ids.push(id);
  return ids;
}

describe("greedy ids are those of transformers", () => {
  it("all prompts together, with and without a repetition penalty", async () => {
    using engine = new GenerationEngine(model, { maxRows: 16 });
    const rows = greedy.flatMap((one) => [
      { row: engine.start(request(one.prompt_ids)), expected: one.greedy },
      { row: engine.start(request(one.prompt_ids, { repetitionPenalty: 1.1 })), expected: one["repetition_penalty_1.1"] },
    ]);
    for (const { row, expected } of rows) {
      const ids = await idsOf(row);
      expect(ids).toHaveLength(64);
      expect(ids.slice(0, expected.trusted)).toEqual(expected.ids.slice(0, expected.trusted));
      expect(row.finishReason).toBe("length");
    }
  });
});
