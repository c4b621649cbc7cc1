import { decodeAttention as decodeAttentionOp, gatherRows, writeRows, type Columns, type FloatDtype } from "@kto/tensor";
import { indices, Numbers, roundTo, type Arrays, type OracleCase } from "../check/case.js";
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
  const slotOf = (row: number, key: number): number => pages[row * pagesPerRow + Math.floor(key / pageSize)]! * pageSize + (key % pageSize);
  // Each row's keys one after another, with its query at the last: what the oracle of causalAttention takes.
  const rowOf = ({ q, keys, values }: Arrays, row: number): Arrays => {
    const width = numKeyValueHeads * headDim;
    const gathered = (from: Float64Array): Float64Array => {
      const rows = Array.from({ length: lengths[row]! }, (_, key) => {
        const slot = slotOf(row, key);
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
      newest: indices(lengths.map((length, row) => slotOf(row, length - 1))),
    },
    forward: (inputs) => ({ y: Float64Array.from(lengths.flatMap((_, row) => [...causalAttention(rowOf(inputs, row), heads)])) }),
    run: ({ q, keys, values, pages: table, lengths: counts, newest }) => ({
      y: decodeAttentionOp(
        {
          q: { tensor: q!, first: 0 },
          k: { tensor: gatherRows(keys!, newest!), first: 0 },
          v: { tensor: gatherRows(values!, newest!), first: 0 },
        },
        { keys: keys!, values: values!, pages: table!, lengths: counts!, pageSize },
        heads,
      ),
    }),
    errorClass: "gemm",
    storage: dtype,
  };
}

/** As `decodeCase`, from projections that come side by side and before their rotation: what a decoder's step gives. */
function projectedCase(name: string, { lengths, pageSize = 16, dtype = "f32", ...heads }: CaseOptions): OracleCase {
  const { numHeads, numKeyValueHeads, headDim } = heads;
  const { pages, pagesPerRow, numPages } = shuffledPages(lengths, pageSize);
  const numbers = new Numbers(2 * lengths.length + headDim);
  const [qSize, kSize, half] = [numHeads * headDim, numKeyValueHeads * headDim, headDim / 2];
  const rowSize = qSize + 2 * kSize;
  const slotOf = (row: number, key: number): number => pages[row * pagesPerRow + Math.floor(key / pageSize)]! * pageSize + (key % pageSize);
  const frozen = { dtype, needsGradient: false };
  const plain = { needsGradient: false };
  /** Columns of a row, heads rotated to its last position. */
  const rotated = ({ qkv, cos, sin }: Arrays, row: number, first: number, size: number): Float64Array =>
    Float64Array.from({ length: size }, (_, i) => {
      const at = row * rowSize + first + i;
      const j = i % headDim;
      const angle = (lengths[row]! - 1) * half + (j % half);
      const other = j < half ? -qkv![at + half]! : qkv![at - half]!;
      return qkv![at]! * cos![angle]! + other * sin![angle]!;
    });
  const newKeys = (inputs: Arrays): number[][] => lengths.map((_, row) => [...rotated(inputs, row, qSize, kSize)]);
  const rowOf = (inputs: Arrays, row: number): Arrays => {
    const cached = (from: Float64Array, newest: readonly number[]): Float64Array => {
      const rows = Array.from({ length: lengths[row]! - 1 }, (_, key) => [
        ...from.subarray(slotOf(row, key) * kSize, (slotOf(row, key) + 1) * kSize),
      ]);
      return Float64Array.from([...rows.flat(), ...newest.map((value) => roundTo(dtype, value))]);
    };
    const value = inputs["qkv"]!.subarray(row * rowSize + qSize + kSize, (row + 1) * rowSize);
    return {
      q: rotated(inputs, row, 0, qSize),
      k: cached(inputs["keys"]!, newKeys(inputs)[row]!),
      v: cached(inputs["values"]!, [...value]),
      starts: Float64Array.of(0),
      lastKeys: Float64Array.of(lengths[row]! - 1),
    };
  };
  return {
    name: `decodeAttention ${name}, projected: rows of ${lengths.join(", ")} in pages of ${pageSize}, ${numHeads}/${numKeyValueHeads} × ${headDim} ${dtype}`,
    inputs: {
      qkv: numbers.input([lengths.length, rowSize], plain),
      cos: numbers.input([Math.max(...lengths), half], plain),
      sin: numbers.input([Math.max(...lengths), half], plain),
      keys: numbers.input([numPages * pageSize, kSize], frozen),
      values: numbers.input([numPages * pageSize, kSize], frozen),
      pages: { ...indices(pages), shape: [lengths.length, pagesPerRow] },
      lengths: indices(lengths),
      newest: indices(lengths.map((length, row) => slotOf(row, length - 1))),
    },
    forward: (inputs) => ({
      y: Float64Array.from(lengths.flatMap((_, row) => [...causalAttention(rowOf(inputs, row), heads)])),
      newKeys: Float64Array.from(newKeys(inputs).flat()),
    }),
    run: ({ qkv, cos, sin, keys, values, pages: table, lengths: counts, newest }) => {
      const columns = (first: number): Columns => ({ tensor: qkv!, first });
      const inputs = { q: columns(0), k: columns(qSize), v: columns(qSize + kSize), tables: { cos: cos!, sin: sin! } };
      const cache = { keys: keys!, values: values!, pages: table!, lengths: counts!, pageSize };
      return { y: decodeAttentionOp(inputs, cache, { ...heads, dtype }), newKeys: gatherRows(keys!, newest!) };
    },
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
  projectedCase("first token", { lengths: [1, 2], numHeads: 2, numKeyValueHeads: 1, headDim: 16 }),
  projectedCase("odd pairs", { lengths: [7, 65], numHeads: 3, numKeyValueHeads: 3, headDim: 18 }),
  projectedCase("quarters", { lengths: [16, 17], numHeads: 2, numKeyValueHeads: 1, headDim: 12 }),
  projectedCase("many heads", { lengths: [30], numHeads: 14, numKeyValueHeads: 1, headDim: 16 }),
  projectedCase("shared out", { lengths: [64, 65, 200], pageSize: 64, numHeads: 6, numKeyValueHeads: 2, headDim: 32 }),
  projectedCase("half", { lengths: [129, 3, 64], pageSize: 64, numHeads: 12, numKeyValueHeads: 2, headDim: 128, dtype: "f16" }),
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
