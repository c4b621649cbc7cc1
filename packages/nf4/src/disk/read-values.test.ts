import { bytesSource } from "@kto/core";
import { encodeSafetensors, openSafetensors, type TensorToWrite } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { fixturePath } from "@kto/testing/workspace";
import { describe, expect, it } from "vitest";
import { nestedCodes, nf4Codes, nf4Layout, openNf4Values, quantizeScales, quantizeWeights, type QuantState } from "../index.js";
import { readMatrix } from "../testing/matrix-fixtures.js";
import { bitsOf } from "../testing/weights.js";
import { decodeWeights } from "../weight-dtype.js";

describe("openNf4Values", () => {
  it("dequantises model-dynamic as bitsandbytes does, whole and some rows at a time", async () => {
    await using file = await openSafetensorsFile(fixturePath("nf4", "model-dynamic", "model.safetensors"));
    await using expected = await openSafetensorsFile(fixturePath("nf4", "dequantized-dynamic.safetensors"));
    expect(expected.tensors.size).toBe(7);
    for (const [name, { shape }] of expected.tensors) {
      const [rows, columns] = shape as [number, number];
      const values = await openNf4Values(file, name, { shape: [rows, columns] });
      const whole = decodeWeights((await expected.read(name)).data, "bfloat16");
      expect(bitsOf(await values.readRows(0, rows)), name).toEqual(bitsOf(whole));
      expect(bitsOf(await values.readRows(3, 8))).toEqual(bitsOf(whole.subarray(3 * columns, 8 * columns)));
    }
    const [name] = expected.tensors.keys();
    await expect(openNf4Values(file, name!, { shape: [1, 2] })).rejects.toThrow(/contradicts the model; expected \[1, 2\], got \[/);
  });

  it.each(["odd-tail.f32", "many-blocks.bf16.nested", "odd-count.f16"])(
    "%s: rows that begin within a byte and a block, both ways round",
    async (matrix) => {
      const { shape, dtype, values, dequantized } = await readMatrix(
        openSafetensorsFile(fixturePath("nf4", "matrices", `${matrix}.safetensors`)),
      );
      const [rows, columns] = shape;
      const { packed, absmax } = quantizeWeights(values);
      const file = await written(
        { quantType: "nf4", blockSize: 64, dtype, shape, isTransposed: false, codes: nf4Codes, nested: undefined },
        packed,
        absmax,
      );
      const plain = await openNf4Values(file, "w");
      const whole = await plain.readRows(0, rows);
      for (let row = 0; row < rows; row++)
        expect(await plain.readRows(row, row + 1)).toEqual(whole.slice(row * columns, (row + 1) * columns));
      if (!matrix.includes("nested")) expect(bitsOf(whole)).toEqual(bitsOf(dequantized));

      const nested = quantizeScales(absmax);
      const state: QuantState = {
        ...plain.state,
        isTransposed: true,
        nested: { blockSize: 256, offset: nested.offset, codes: nestedCodes() },
      };
      const transposed = await openNf4Values(await written(state, packed, nested.codes, nested.absmax), "w");
      expect(transposed.shape).toEqual([columns, rows]);
      const straight = await (
        await openNf4Values(await written({ ...state, isTransposed: false }, packed, nested.codes, nested.absmax), "w")
      ).readRows(0, rows);
      const some = await transposed.readRows(1, 3);
      expect([...some]).toEqual([1, 2].flatMap((column) => Array.from({ length: rows }, (_, row) => straight[row * columns + column]!)));
    },
  );
});

/** A file with one weight. */
async function written(
  state: QuantState,
  packed: Uint8Array,
  absmax: Uint8Array | Float32Array,
  nestedAbsmax = new Float32Array(),
): ReturnType<typeof openSafetensors> {
  const bytes = (values: Uint8Array | Float32Array) => async () =>
    new Uint8Array(values.buffer as ArrayBuffer, values.byteOffset, values.byteLength);
  const layout = nf4Layout("w", state, { packed: bytes(packed), absmax: bytes(absmax), nestedAbsmax: bytes(nestedAbsmax) });
  return openSafetensors(bytesSource(await encodeSafetensors(layout satisfies [string, TensorToWrite][])));
}
