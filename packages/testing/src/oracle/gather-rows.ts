import { gatherRows as gatherRowsOp, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "../check/case.js";
import { embedding } from "./embedding.js";

/** dx[rows[i]] = dy[i], else 0. */
export function gatherRowsVjp({ x, rows }: Arrays, dy: Float64Array, n: number): Arrays {
  const dx = new Float64Array(x!.length);
  rows!.forEach((row, i) => dx.set(dy.subarray(i * n, (i + 1) * n), row * n));
  return { x: dx };
}

function gatherRowsCase(rows: number[], numRows: number, n: number, dtype: FloatDtype = "f32"): OracleCase {
  return {
    name: `gatherRows ${rows.length} of ${numRows} × ${n} ${dtype}`,
    inputs: { x: new Numbers(numRows + n).input([numRows, n], { dtype }), rows: indices(rows) },
    forward: ({ x, rows: ids }) => ({ y: embedding({ ids: ids!, table: x! }, n) }),
    vjp: (inputs, dy) => gatherRowsVjp(inputs, dy, n),
    run: ({ x, rows: wanted }) => ({ y: gatherRowsOp(x!, wanted!) }),
    errorClass: "exact",
  };
}

export const gatherRowsCases: OracleCase[] = [
  gatherRowsCase([0], 1, 1),
  gatherRowsCase([0, 2, 3, 8], 9, 5),
  gatherRowsCase(
    Array.from({ length: 65 }, (_, i) => 2 * i + 1),
    131,
    64,
  ),
  gatherRowsCase([1, 2], 4, 3, "f16"),
];
