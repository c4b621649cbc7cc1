import { bytesSource, type ByteDirectory } from "@kto/core";
import { describe, expect, it } from "vitest";
import { type Checkpoint, openCheckpoint } from "./checkpoint.js";
import { toBfloat16, toFloat16 } from "./convert.js";
import { checkpointWeights } from "./weight-source.js";
import { encodeSafetensors, type TensorToWrite } from "./writer.js";

const values = Float32Array.of(1, -2, 0.5, 4, 5, -0.25);

async function checkpointOf(tensors: Record<string, TensorToWrite>): Promise<Checkpoint> {
  const bytes = await encodeSafetensors(tensors);
  const directory: ByteDirectory = {
    name: "tiny",
    open: async (fileName) => (fileName === "model.safetensors" ? bytesSource(bytes, fileName) : undefined),
  };
  return openCheckpoint(directory);
}

describe("checkpointWeights", () => {
  it("reads weights and rows of them as f32 from all three dtypes", async () => {
    const shape = [3, 2];
    const weights = checkpointWeights(
      await checkpointOf({
        full: { dtype: "F32", shape, data: values },
        half: { dtype: "F16", shape, data: toFloat16(values, "F32").values },
        brain: { dtype: "BF16", shape, data: toBfloat16(values, "F32").values },
        scalar: { dtype: "F32", shape: [], data: Float32Array.of(7) },
      }),
    );
    expect(Object.fromEntries(weights.tensors)).toEqual({
      full: { shape, dtype: "F32" },
      half: { shape, dtype: "F16" },
      brain: { shape, dtype: "BF16" },
      scalar: { shape: [], dtype: "F32" },
    });
    for (const name of ["full", "half", "brain"]) {
      expect(await weights.read(name)).toEqual(values);
      expect(await weights.read(name, { from: 1, to: 3 })).toEqual(values.slice(2));
      expect(await weights.read(name, { from: 2, to: 2 })).toEqual(new Float32Array(0));
    }
    expect(await weights.read("scalar")).toEqual(Float32Array.of(7));
  });

  it("refuses other dtypes, unknown names and rows outside", async () => {
    const packed = await checkpointOf({ "q_proj.weight": { dtype: "U8", shape: [4, 1], data: new Uint8Array(4) } });
    expect(() => checkpointWeights(packed)).toThrow(/"q_proj.weight" is no plain weight; expected F32, F16 or BF16, got U8/);
    const weights = checkpointWeights(await checkpointOf({ w: { dtype: "F32", shape: [3, 2], data: values } }));
    await expect(weights.read("v")).rejects.toThrow(/there is no weight "v"/);
    for (const rows of [
      { from: 0, to: 4 },
      { from: -1, to: 1 },
      { from: 2, to: 1 },
      { from: 0, to: 1.5 },
    ])
      await expect(weights.read("w", rows)).rejects.toThrow(/rows outside of "w"; expected 0 ≤ from ≤ to ≤ 3/);
  });
});
