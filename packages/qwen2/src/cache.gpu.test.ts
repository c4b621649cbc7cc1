import {
  causalAttention,
  concat,
  gatherRows,
  requestDevice,
  segmentBounds,
  view,
  type Attend,
  type Device,
  type Tensor,
} from "@kto/tensor";
import { fixturePath } from "@kto/testing/workspace";
import { afterAll, beforeAll, expect, test } from "vitest";
import { loadCausalLM, type DecoderForCausalLM } from "./index.js";
import { fileDirectory } from "./node.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
  device.recorder.variants.set("matmul", "plain"); // a product of few rows may be added up in another order than one of many
});
afterAll(() => device.dispose());

/** Keys and values of the rows so far, each layer's apart, rows one after another. As plain as can be: it copies everything at every piece. */
class PlainCache implements Disposable {
  readonly #model: DecoderForCausalLM;
  readonly #layers = new Map<number, { k: Tensor; v: Tensor }>();
  /** Tokens of each row that are held. */
  #held: number[] = [];

  constructor(model: DecoderForCausalLM) {
    this.#model = model;
  }

  /** Logits after every token of the next piece of each row. */
  forward(pieces: readonly number[][]): Tensor {
    const held = this.#held.length > 0 ? this.#held : pieces.map(() => 0);
    const added = pieces.map(({ length }) => length);
    const total = held.map((length, row) => length + added[row]!);
    const logits = device.scope(() =>
      device.noGrad(() => {
        const { numAttentionHeads: numHeads, numKeyValueHeads, headDim } = this.#model.config;
        const order = joinedOrder(held, added);
        const places = device.tensor(order, [order.length], "u32");
        const bounds = segmentBounds(device, added, total);
        const attend: Attend = (layer, q, k, v) => {
          const earlier = this.#layers.get(layer);
          const join = (before: Tensor, now: Tensor): Tensor =>
            gatherRows(view(concat([before, now]), [places.size, numKeyValueHeads * headDim]), places);
          const all = earlier ? { k: join(earlier.k, k), v: join(earlier.v, v) } : { k, v };
          const kept = device.unscoped(() => ({ k: all.k.detach(), v: all.v.detach() }));
          earlier?.k.dispose();
          earlier?.v.dispose();
          this.#layers.set(layer, kept);
          return causalAttention(q, all.k, all.v, { numHeads, numKeyValueHeads, headDim, dtype: this.#model.dtype, ...bounds });
        };
        const batch = this.#model.packRows(pieces, { firstPositions: held });
        return this.#model.logits(this.#model.hiddenStates(batch, { attend }));
      }),
    );
    this.#held = total;
    return logits;
  }

  [Symbol.dispose](): void {
    for (const { k, v } of this.#layers.values()) for (const tensor of [k, v]) tensor.dispose();
  }
}

/** Where the tokens of each row lie once what was added comes after all that was held. */
function joinedOrder(held: readonly number[], added: readonly number[]): number[] {
  const from = (start: number, length: number): number[] => Array.from({ length }, (_, index) => start + index);
  let atHeld = 0;
  let atAdded = held.reduce((sum, length) => sum + length, 0);
  return held.flatMap((length, row) => {
    const places = [...from(atHeld, length), ...from(atAdded, added[row]!)];
    atHeld += length;
    atAdded += added[row]!;
    return places;
  });
}

const prompts = [
  [11, 250, 3, 77, 8, 400, 19, 301, 5],
  [42, 7, 9, 130],
];

test("a prompt in pieces, over a cache, gives the bits of the logits of the whole", async () => {
  using model = await loadCausalLM(fileDirectory(fixturePath("model")), { device, dtype: "f32" });
  using whole = device.scope(() => device.noGrad(() => model.logits(model.hiddenStates(model.packRows(prompts)))));
  const expected = rowsOf((await whole.read()) as Float32Array, model.vocabSize);
  const cuts = [
    [4, 1],
    [8, 2],
    [9, 4],
  ];
  using cache = new PlainCache(model);
  let before = [0, 0];
  for (const upTo of cuts) {
    const pieces = prompts.map((ids, row) => ids.slice(before[row], upTo[row]));
    using logits = cache.forward(pieces);
    const found = rowsOf((await logits.read()) as Float32Array, model.vocabSize);
    const tokens = prompts.flatMap((_ids, row) =>
      pieces[row]!.map((_id, index) => (row === 0 ? 0 : prompts[0]!.length) + before[row]! + index),
    );
    expect(found).toEqual(tokens.map((token) => expected[token]));
    before = upTo;
  }
});

function rowsOf(values: Float32Array, width: number): Float32Array[] {
  return Array.from({ length: values.length / width }, (_, row) => values.slice(row * width, (row + 1) * width));
}
