import { decodeAttention as decodeAttentionOp, writeRows, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, roundTo, type Arrays, type OracleCase } from "./case.js";
import { causalAttention, type AttentionHeads } from "./causal-attention.js";

interface CaseOptions extends AttentionHeads {
  /** Keys of each row. */
  lengths: number[];
  pageSize?: number;
  dtype?: FloatDtype;
  scale?: number;
}

/** Pages of rows in an order that mixes them: the last page of each row first, and a page that no row has in between. */
function shuffledPages(lengths: readonly number[], pageSize: number): { pages: number[]; pagesPerRow: number; numPages: number } {
  const counts = lengths.map((length) => Math.ceil(length / pageSize));
  const pagesPerRow = Math.max(...counts);
  const pages = Array.from({ length: lengths.length * pagesPerRow }, () => 0);
  let next = 0;
  for (let page = pagesPerRow - 1; page >= 0; page--) {
    counts.forEach((count, row) => {
      if (page < count) pages[row * pagesPerRow + page] = next++;
    });
    next += 1;
  }
  return { pages, pagesPerRow, numPages: next };
}

function decodeCase(name: string, { lengths, pageSize = 16, dtype = "f32", scale = 1, ...heads }: CaseOptions): OracleCase {
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const { pages, pagesPerRow, numPages } = shuffledPages(lengths, pageSize);
  const numbers = new Numbers(lengths.length + headDim);
  const shape = [numPages * pageSize, numKeyValueHeads * headDim] as const;
  const frozen = { dtype, scale, needsGradient: false };
  // Each row's keys one after another, with its query at the last: what the oracle of causalAttention takes.
  const rowOf = ({ q, keys, values }: Arrays, row: number): Arrays => {
    const width = numKeyValueHeads * headDim;
    const gathered = (from: Float64Array): Float64Array => {
      const rows = Array.from({ length: lengths[row]! }, (_, key) => {
        const slot = pages[row * pagesPerRow + Math.floor(key / pageSize)]! * pageSize + (key % pageSize);
        return [...from.subarray(slot * width, (slot + 1) * width)];
      });
      return Float64Array.from(rows.flat());
    };
    const last = Float64Array.of(lengths[row]! - 1);
    const size = numHeads * headDim;
    const query = q!.subarray(row * size, (row + 1) * size);
    return { q: query, k: gathered(keys!), v: gathered(values!), starts: Float64Array.of(0), lastKeys: last };
  };
  return {
    name: `decodeAttention ${name}: rows of ${lengths.join(", ")} in pages of ${pageSize}, ${numHeads}/${numKeyValueHeads} × ${headDim} ${dtype}`,
    inputs: {
      q: numbers.input([lengths.length, numHeads * headDim], frozen),
      keys: numbers.input([...shape], frozen),
      values: numbers.input([...shape], { ...frozen, scale: 1 }),
      pages: { ...indices(pages), shape: [lengths.length, pagesPerRow] },
      lengths: indices(lengths),
    },
    forward: (inputs) => ({ y: Float64Array.from(lengths.flatMap((_, row) => [...causalAttention(rowOf(inputs, row), heads)])) }),
    run: ({ q, keys, values, pages: table, lengths: counts }) => ({
      y: decodeAttentionOp(
        q!,
        { keys: keys!, values: values!, pages: table!, lengths: counts!, maxLength: Math.max(...lengths), pageSize },
        heads,
      ),
    }),
    errorClass: "gemm",
    storage: dtype,
  };
}

export const decodeAttentionCases: OracleCase[] = [
  decodeCase("one key", { lengths: [1], numHeads: 1, numKeyValueHeads: 1, headDim: 16 }),
  decodeCase("odd", { lengths: [7, 16, 17], numHeads: 3, numKeyValueHeads: 3, headDim: 18 }),
  decodeCase("groups", { lengths: [63, 64, 65, 2], numHeads: 6, numKeyValueHeads: 2, headDim: 32 }),
  decodeCase("wide", { lengths: [100, 3], pageSize: 64, numHeads: 6, numKeyValueHeads: 1, headDim: 128 }),
  decodeCase("sharp", { lengths: [90], numHeads: 2, numKeyValueHeads: 2, headDim: 16, scale: 4 }),
  decodeCase("shared out", { lengths: [5, 600, 257], numHeads: 4, numKeyValueHeads: 2, headDim: 16 }),
  decodeCase("half", { lengths: [70, 300], pageSize: 64, numHeads: 12, numKeyValueHeads: 2, headDim: 128, dtype: "f16" }),
];

function writeRowsCase(rows: number[], numRows: number, n: number, xType: FloatDtype, dtype: FloatDtype): OracleCase {
  const numbers = new Numbers(numRows + n);
  return {
    name: `writeRows ${rows.length} of ${numRows} × ${n} ${xType} → ${dtype}`,
    inputs: {
      target: numbers.input([numRows, n], { dtype, needsGradient: false }),
      x: numbers.input([rows.length, n], { dtype: xType, needsGradient: false }),
      rows: indices(rows),
    },
    forward: ({ target, x }) => {
      const y = target!.slice();
      rows.forEach((row, i) => y.set(x!.subarray(i * n, (i + 1) * n), row * n));
      return { y: y.map((value) => roundTo(dtype, value)) };
    },
    run: ({ target, x, rows: places }) => {
      writeRows(target!, x!, places!);
      return { y: target! };
    },
    errorClass: "exact",
    storage: xType === "f16" ? xType : dtype,
  };
}

export const writeRowsCases: OracleCase[] = [
  writeRowsCase([3], 4, 1, "f32", "f32"),
  writeRowsCase([8, 0, 5], 9, 5, "f32", "f32"),
  writeRowsCase([1, 70, 2], 131, 64, "f16", "f16"),
  writeRowsCase([1, 2], 3, 6, "f32", "f16"),
];
