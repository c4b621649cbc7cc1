import { memoryStore } from "@kto/core";
import { requestDevice, type Device, type Tensor } from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { emptyCausalLM, loadCausalLM, type DecoderForCausalLM } from "./index.js";
import { fileDirectory } from "./node.js";
import type { Qwen2ForCausalLM } from "./qwen2.js";

let device: Device;
let model: DecoderForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());
beforeEach(async () => {
  model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
});
afterEach(() => model.dispose());

const name = "model.embed_tokens.weight";

async function hiddenOf(of: DecoderForCausalLM, rows: readonly number[][]): Promise<ArrayLike<number>> {
  using hidden = device.scope(() => of.hiddenStates(of.packRows(rows, { rowCapacity: 32 })));
  return await hidden.read();
}

describe("a model whose embedding is on the host", () => {
  it("gives the same hidden states, to the bit, and keeps nothing of the matrix on the device", async () => {
    const rows = [
      [1, 2, 3, 250, 7, 31, 400],
      [7, 7, 2],
    ];
    const expected = await hiddenOf(model, rows);
    const { numParameters, weightBytes } = model;
    const matrix = model.embeddings.input.own;
    await model.offloadEmbedding();
    expect(matrix.isDisposed).toBe(true);
    expect(await hiddenOf(model, rows)).toEqual(expected);
    expect([model.numParameters, model.weightBytes]).toEqual([numParameters, weightBytes - matrix.byteLength]);
    expect(model.isTied).toBe(false);
    await model.offloadEmbedding(); // is there already
    expect(await hiddenOf(model, rows)).toEqual(expected);
  });

  it("says which tokens take gradients, as with the matrix on the device", async () => {
    const batch = (): Tensor[] => {
      const tokens = model.packRows([[5, 6, 7]], { gradientTokens: { count: 2, capacity: 16 }, rowCapacity: 32 });
      const states: Tensor[] = [];
      model.hiddenStates(tokens, { onHiddenState: (_index, hidden) => states.push(hidden) });
      return states;
    };
    const marks = (states: readonly Tensor[]): unknown[] => states.map(({ gradientRows, rowCapacity }) => ({ gradientRows, rowCapacity }));
    const expected = device.scope(() => ({ marks: marks(batch()) }));
    await model.offloadEmbedding();
    expect(device.scope(() => ({ marks: marks(batch()) }))).toEqual(expected);
  });

  it("brings it back where it is needed, and can do without again", async () => {
    const whole = [...(await model.embeddings.input.own.read())];
    const fingerprint = await model.fingerprint();
    await model.offloadEmbedding();
    expect(await model.fingerprint()).toEqual(fingerprint);
    expect(model.weightBytes).toBeLessThan(4 * model.numParameters); // was taken off again
    expect(device.memory.rehearse(() => void model.embeddings.input.weight).inUseBytes).toBeGreaterThan(0);
    expect(model.weightBytes).toBeLessThan(4 * model.numParameters); // a rehearsal changes nothing
    model.prepareDecode(64);
    expect(model.weightBytes).toBe(4 * model.numParameters);
    expect([...(await model.embeddings.input.own.read())]).toEqual(whole);
    await model.offloadEmbedding();
    const store = memoryStore();
    await model.savePretrained(store);
    expect([...(await model.weights.get(name)!.read())]).toEqual(whole);
  });

  it("takes another matrix, which is looked up from then on", async () => {
    await model.offloadEmbedding();
    const { shape } = model.embeddings.input.own;
    await model.offloadEmbedding();
    const other = Float32Array.from({ length: shape[0]! * shape[1]! }, (_, i) => Math.sin(i));
    model.embeddings.input.take(device.tensor(other, shape, "f32"));
    const expected = await hiddenOf(model, [[1, 2, 3]]);
    await model.offloadEmbedding();
    expect(await hiddenOf(model, [[1, 2, 3]])).toEqual(expected);
  });
});

it("a matrix that is the head too, or is trained, stays where it is", async () => {
  const config = { ...(model as Qwen2ForCausalLM).config, numHiddenLayers: 1 };
  using tied = emptyCausalLM({ ...config, tieWordEmbeddings: true }, { device, dtype: "f32" });
  await expect(tied.offloadEmbedding()).rejects.toThrow(
    "offloadEmbedding: the embedding cannot be kept on the host; expected a frozen matrix that only looks tokens up, got one that is the head too (tie_word_embeddings)",
  );
  using trained = emptyCausalLM(config, { device, trainable: true });
  await expect(trained.offloadEmbedding()).rejects.toThrow(/got one that can be trained \(trainable: true\)$/);
});
