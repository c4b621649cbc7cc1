import { embedding as embeddingOp, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase, type OpInput } from "../check/case.js";

/** y[t] = table[ids[t]], rows of n. */
export function embedding({ ids, table }: Arrays, n: number): Float64Array {
  return Float64Array.from({ length: ids!.length * n }, (_, i) => table![ids![Math.floor(i / n)]! * n + (i % n)]!);
}

/** dTable[ids[t]] += dy[t]. */
export function embeddingVjp({ ids, table }: Arrays, dy: Float64Array, n: number): Arrays {
  const dTable = new Float64Array(table!.length);
  dy.forEach((gradient, i) => (dTable[ids![Math.floor(i / n)]! * n + (i % n)]! += gradient));
  return { table: dTable };
}

function embeddingCase(name: string, ids: OpInput, vocabSize: number, n: number, dtype: FloatDtype = "f32"): OracleCase {
  return {
    name: `embedding ${name}, table ${vocabSize} × ${n} ${dtype}`,
    inputs: { ids, table: new Numbers(vocabSize + n).input([vocabSize, n], { dtype }) },
    forward: (inputs) => ({ y: embedding(inputs, n) }),
    vjp: (inputs, dy) => embeddingVjp(inputs, dy, n),
    run: ({ ids: tokens, table }) => ({ y: embeddingOp(tokens!, table!) }),
    errorClass: "elementwise",
  };
}

export const embeddingCases: OracleCase[] = [
  embeddingCase("one token", indices([0]), 1, 1),
  embeddingCase("repeated ids", indices([2, 5, 2, 0, 2, 5, 6]), 7, 9),
  embeddingCase("one id 70 times", indices(Array.from({ length: 70 }, () => 3)), 4, 64),
  embeddingCase("random ids", new Numbers(5).ids(131, 50), 50, 65),
  embeddingCase("f16", indices([1, 1, 0]), 3, 5, "f16"),
];
