import { defineOp } from "../autograd/define-op.js";
import type { FloatDtype } from "../dtype.js";
import { ShapeError } from "../errors.js";
import { embeddingBackwardKernel, tokenChainsKernel } from "../kernels/embedding-backward.wgsl.js";
import { gatherRowsKernel } from "../kernels/rows-by-index.wgsl.js";
import { expectDtype, type Shape } from "../shape.js";
import type { Tensor } from "../tensor.js";

/**
 * Rows of a table: y[t] = table[ids[t]].
 *
 * @param ids    [numTokens] u32, each below vocabSize (a larger one reads the last row; check ids on the host)
 * @param table  [vocabSize, hiddenSize] f32 | f16
 * @returns      [numTokens, hiddenSize] f32. The gradient of the table is f32 and adds tokens in order, so it repeats bit for bit
 */
export function embedding(ids: Tensor, table: Tensor): Tensor {
  return embeddingOp({ ids, table }, { tableShape: table.shape }).output;
}

const embeddingOp = defineOp("embedding", {
  rows: ["ids"],
  forward({ device }, { ids, table }: { ids: Tensor; table: Tensor }, _attributes: { tableShape: Shape }) {
    expectDtype("embedding", "ids", ids, "u32");
    expectDtype("embedding", "table", table, "f32", "f16");
    const [numSourceRows, rowSize] = table.shape;
    if (table.shape.length !== 2 || !numSourceRows || !rowSize)
      throw new ShapeError(`embedding: table has the wrong shape; expected [vocabSize, hiddenSize], got [${table.shape.join(", ")}]`);
    const y = device.rowsLike(ids, [...ids.shape, rowSize], "f32", "embedding");
    gatherRowsKernel.run(
      device,
      { x: table, indices: ids, y },
      { size: y.size, rowSize, numSourceRows },
      { xType: table.dtype as FloatDtype, dtype: "f32" },
    );
    return { output: y, saved: { ids } };
  },
  // dTable[v] = sum of dy[t] over the tokens t with id v
  vjp({ device }, { ids }, dy, needs, { tableShape }) {
    if (!needs.table) return {};
    const numTokens = ids.size;
    const [numTableRows, rowSize] = tableShape as [number, number];
    const dTable = device.zeros(tableShape, "f32", "embedding dTable");
    const next = device.rowsLike(ids, ids.shape, "u32", "embedding next");
    const isFirst = device.rowsLike(ids, ids.shape, "u32", "embedding isFirst");
    tokenChainsKernel.run(device, { ids, next, isFirst }, { numTokens }, {});
    embeddingBackwardKernel.run(device, { ids, next, isFirst, dy, dTable }, { numTokens, rowSize, numTableRows }, {});
    return { table: dTable };
  },
});
