import { getPeftModel } from "@kto/lora";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { backward, prefixBounds, requestDevice, ShapeError, sum, type Device } from "@kto/tensor";
import { expectClose } from "@kto/testing";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ScoredRow } from "../data/rows.js";
import { passSize } from "../memory/passes.js";
import { tinyModel } from "../testing/tiny-model.js";
import { scoreBatch } from "./score-batch.js";
import { packScoredBatch } from "./scored-batch.js";

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

const prompt = [3, 14, 15, 9, 2, 6];
const [long, short, none] = [{}, {}, {}];
/** Prompts of several rows, of one, of one token and of none; a row between two that share. */
const rows: ScoredRow[] = [
  { promptIds: prompt, completionIds: [5, 3, 5], sharedPrompt: long },
  { promptIds: [7], completionIds: [8, 9], sharedPrompt: short },
  { promptIds: prompt, completionIds: [8, 9, 7, 9, 3], scoredMask: [1, 0, 1, 1, 0], sharedPrompt: long },
  { promptIds: [7], completionIds: [4], sharedPrompt: short },
  { promptIds: [], completionIds: [1, 2, 3], sharedPrompt: none },
  { promptIds: [], completionIds: [1, 2], sharedPrompt: none },
  { promptIds: prompt, completionIds: [2], sharedPrompt: {} },
  { promptIds: prompt, completionIds: [9] },
  { promptIds: prompt, completionIds: [2, 3, 8], sharedPrompt: long },
];
const alone = rows.map((row) => ({ ...row, sharedPrompt: undefined }));

describe("rows that name one shared prompt", () => {
  it.each([0, 2])(
    "have the log-probabilities and the gradients of rows with a prompt each, %i layers run again",
    async (gradientCheckpointing) => {
      using model = getPeftModel(base, { r: 4, loraAlpha: 8, targetModules: "all-linear" }, { seed: 3 });
      model.writeAdapter(
        new Map(
          Array.from(await model.readAdapter(), ([name, { a, b }]) => [name, { a, b: b.map((_, i) => ((i * 37) % 19) / 190 - 0.05) }]),
        ),
      );
      const outcome = async (given: readonly ScoredRow[]): Promise<Float32Array[]> => {
        const { logProbs, entropy, tokenLogProbs } = scoreBatch(model.base, given, { gradientCheckpointing, metrics: true });
        using gradients = backward(sum(logProbs));
        const parameters = [...model.activeAdapter.bucket.parameters.values()];
        return device.readAll([logProbs, entropy!, tokenLogProbs!, ...parameters.map((parameter) => gradients.get(parameter)!)]);
      };
      const found = await outcome(rows);
      const expected = await outcome(alone);
      for (const [index, values] of found.entries())
        expectClose(values, expected[index]!, { rtol: 2e-5, atol: 2e-6, label: `result ${index}` });
    },
  );

  it("take the room that is planned for them: a prompt once but for its last token", () => {
    const numTokens = (given: readonly ScoredRow[]): number => device.scope(() => packScoredBatch(base, given).tokens.inputIds.size);
    expect(numTokens(alone)).toBe(passSize(alone).numTokens);
    expect(numTokens(rows)).toBe(passSize(rows).numTokens);
    expect(numTokens(alone) - numTokens(rows)).toBe(2 * (prompt.length - 1));
  });
});

describe("prefixBounds", () => {
  it("says what each token sees", async () => {
    const { starts, ends, spans } = prefixBounds(device, [2, 1, 2], [undefined, undefined, { row: 0, length: 2 }]);
    expect((await Promise.all([starts, ends, spans!].map((tensor) => tensor.read()))).map((numbers) => [...numbers])).toEqual([
      [0, 0, 2, 0, 0],
      [5, 5, 3, 5, 5],
      [0, 0, 0, 5, 0, 0, 0, 5, 2, 0, 0, 3, 0, 2, 3, 5, 0, 2, 3, 5],
    ]);
    expect(prefixBounds(device, [2, 1], []).spans).toBeUndefined();
  });

  it("rows that take no gradients are none that a key waits for on the way back", async () => {
    const prefixes = [undefined, { row: 0, length: 2 }, { row: 0, length: 2 }];
    const { ends, spans } = prefixBounds(device, [2, 1, 2], prefixes, undefined, 3);
    expect(Array.from(await ends.read())).toEqual([3, 3, 3, 5, 5]);
    expect(Array.from(await spans!.read()).filter((_, index) => index % 4 === 3)).toEqual([3, 3, 3, 5, 5]);
  });

  it.each([
    [{ row: 1, length: 1 }, "row 1 must go on from an earlier row that stands alone; got row 1"],
    [{ row: -1, length: 1 }, "got row -1"],
    [{ row: 0, length: 3 }, "row 1 goes on from more of row 0 than there is; expected 1 to 2 tokens, got 3"],
    [{ row: 0, length: 0 }, "expected 1 to 2 tokens, got 0"],
  ])("refuses %j", (prefix, message) => {
    expect(() => prefixBounds(device, [2, 1], [undefined, prefix])).toThrow(ShapeError);
    expect(() => prefixBounds(device, [2, 1], [undefined, prefix])).toThrow(message);
  });

  it("refuses a row that goes on from one that goes on itself", () => {
    const prefixes = [undefined, { row: 0, length: 1 }, { row: 1, length: 1 }];
    expect(() => prefixBounds(device, [2, 1, 1], prefixes)).toThrow("got row 1, which goes on from another itself");
  });
});
