import { fewRowsLinear, type FewRowsPart, type FloatDtype, type Tensor } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase, type OpInput } from "../check/case.js";

interface CaseOptions {
  numRows: number;
  k: number;
  /** Rows of each matrix. */
  sizes: number[];
  /** Ranks of their updates; 0 for none. */
  ranks?: number[];
  x?: FloatDtype;
  weight?: FloatDtype;
  dtype?: FloatDtype;
  norm?: boolean;
  bias?: boolean;
  addend?: boolean;
  swiGlu?: boolean;
  /** Runs on emulated matrix units where there are none. */
  onMatrices?: boolean;
}

const eps = 1e-5;
const updateScale = 0.75;

function fewRowsCase(options: CaseOptions): OracleCase {
  const { numRows, k, sizes, ranks = sizes.map(() => 0), x: xType = "f32", weight = "f32", dtype = "f32" } = options;
  const { norm = false, bias = false, addend = false, swiGlu = false, onMatrices = false } = options;
  const numbers = new Numbers(numRows + k + sizes.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  const rank = ranks.reduce((sum, each) => sum + each, 0);
  const columns = swiGlu ? sizes[0]! : total;
  const frozen = (type: FloatDtype, scale = 1): { dtype: FloatDtype; scale: number; needsGradient: false } => ({
    dtype: type,
    scale,
    needsGradient: false,
  });
  const inputs: Record<string, OpInput> = {
    x: numbers.input([numRows, k], frozen(xType)),
    weight: numbers.input([total, k], frozen(weight)),
    ...(norm && { norm: numbers.input([k], frozen("f32")) }),
    ...(bias && { bias: numbers.input([total], frozen("f32")) }),
    ...(addend && { addend: numbers.input([numRows, columns], frozen("f32")) }),
    ...(rank > 0 && {
      a: numbers.input([rank, k], frozen("f32", 0.2)),
      b: numbers.input([sizes.reduce((sum, size, i) => sum + size * ranks[i]!, 0), 1], frozen("f32", 0.2)),
    }),
  };
  const parts = [norm && "norm", bias && "bias", addend && "addend", swiGlu && "swiGlu", rank > 0 && `ranks ${ranks.join(", ")}`].filter(
    Boolean,
  );
  return {
    name: `fewRowsLinear ${numRows} × ${k} → ${sizes.join(" + ")}, x ${xType}, weight ${weight} → ${dtype}${parts.map((part) => `, ${String(part)}`).join("")}`,
    inputs,
    forward: (arrays) => ({ y: product(arrays, { numRows, k, sizes, ranks, swiGlu }) }),
    run: (tensors) => {
      const { x: given, weight: all, norm: normWeight, bias: biases, addend: added, a, b } = tensors as Record<string, Tensor | undefined>;
      const { device } = given!;
      const x = device.empty(given!.shape, given!.dtype, "x", Math.ceil(numRows / 16) * 16); // room for whole tiles of matrix units
      device.copyInto(x, given!);
      const y = fewRowsLinear(partsOf(all!, biases, a, b, { k, sizes, ranks }), {
        x,
        dtype,
        swiGlu,
        addend: added,
        operand: weight,
        norm: normWeight && { weight: normWeight, eps },
      });
      return { y: y! };
    },
    errorClass: "gemm",
    storage: dtype,
    ...(onMatrices && { emulated: { fewRowsMatrix: "emulated" } }),
  };
}

/** The matrices as views of one buffer, whose starts are multiples of 256 bytes by the choice of sizes. */
function partsOf(
  weight: Tensor,
  bias: Tensor | undefined,
  a: Tensor | undefined,
  b: Tensor | undefined,
  { k, sizes, ranks }: Required<Pick<CaseOptions, "k" | "sizes" | "ranks">>,
): FewRowsPart[] {
  const { device } = weight;
  const of = (whole: Tensor, shape: number[], firstElement: number): Tensor =>
    device.viewOf(whole, shape, (firstElement * whole.byteLength) / whole.size, "part");
  let [row, rankRow, bElement] = [0, 0, 0];
  return sizes.map((size, index) => {
    const rank = ranks[index]!;
    const part: FewRowsPart = {
      weight: of(weight, [size, k], row * k),
      bias: bias && of(bias, [size], row),
      ...(rank > 0 && { lowRank: { a: of(a!, [rank, k], rankRow * k), b: of(b!, [size, rank], bElement), scale: updateScale } }),
    };
    row += size;
    rankRow += rank;
    bElement += size * rank;
    return part;
  });
}

function product(
  { x, weight, norm, bias, addend, a, b }: Arrays,
  { numRows, k, sizes, ranks, swiGlu }: { numRows: number; k: number; sizes: number[]; ranks: number[]; swiGlu: boolean },
): Float64Array {
  const columns = swiGlu ? sizes[0]! : sizes.reduce((sum, size) => sum + size, 0);
  const y = new Float64Array(numRows * columns);
  for (let row = 0; row < numRows; row++) {
    const values = x!.subarray(row * k, (row + 1) * k);
    const square = values.reduce((sum, value) => sum + value * value, 0) / k;
    const normed = norm ? values.map((value, i) => (value * norm[i]!) / Math.sqrt(square + eps)) : values;
    const dot = (matrix: Float64Array, matrixRow: number): number => {
      let sum = 0;
      for (let i = 0; i < k; i++) sum += normed[i]! * matrix[matrixRow * k + i]!;
      return sum;
    };
    let [first, firstRank, bElement] = [0, 0, 0];
    const results = sizes.map((size, index) => {
      const rank = ranks[index]!;
      const h = Array.from({ length: rank }, (_, j) => dot(a!, firstRank + j));
      const result = Array.from({ length: size }, (_, col) => {
        const update = h.reduce((sum, value, j) => sum + value * b![bElement + col * rank + j]!, 0);
        return dot(weight!, first + col) + (bias?.[first + col] ?? 0) + updateScale * update;
      });
      first += size;
      firstRank += rank;
      bElement += size * rank;
      return result;
    });
    const [gate, up] = results;
    const flat = swiGlu ? gate!.map((value, i) => (value / (1 + Math.exp(-value))) * up![i]!) : results.flat();
    flat.forEach((value, col) => {
      y[row * columns + col] = value + (addend?.[row * columns + col] ?? 0);
    });
  }
  return y;
}

export const fewRowsLinearCases: OracleCase[] = [
  fewRowsCase({ numRows: 1, k: 64, sizes: [4] }),
  fewRowsCase({ numRows: 1, k: 72, sizes: [132], addend: true, x: "f16" }),
  fewRowsCase({ numRows: 3, k: 128, sizes: [64, 64, 128], norm: true, bias: true, ranks: [4, 0, 16] }),
  fewRowsCase({ numRows: 2, k: 64, sizes: [192, 192], swiGlu: true, norm: true, ranks: [8, 8] }),
  fewRowsCase({ numRows: 9, k: 2560, sizes: [64], addend: true, norm: true }),
  fewRowsCase({ numRows: 1, k: 1536, sizes: [256, 128, 128], weight: "f16", norm: true, bias: true, ranks: [16, 16, 16] }),
  fewRowsCase({ numRows: 32, k: 256, sizes: [128, 128], weight: "f16", dtype: "f16", swiGlu: true, norm: true }),
  fewRowsCase({ numRows: 5, k: 1544, sizes: [260], x: "f16", weight: "f16", addend: true, ranks: [4] }),
  fewRowsCase({ numRows: 5, k: 64, sizes: [16], x: "f16", weight: "f16", onMatrices: true }),
  fewRowsCase({ numRows: 17, k: 192, sizes: [32, 16, 16], x: "f16", weight: "f16", bias: true, onMatrices: true }),
  fewRowsCase({ numRows: 3, k: 640, sizes: [32], x: "f16", weight: "f16", addend: true, ranks: [8], onMatrices: true }),
  fewRowsCase({ numRows: 32, k: 320, sizes: [48, 48], x: "f16", weight: "f16", swiGlu: true, ranks: [4, 4], onMatrices: true }),
  fewRowsCase({ numRows: 33, k: 64, sizes: [64, 64, 128], norm: true, bias: true, ranks: [4, 0, 16] }),
  fewRowsCase({ numRows: 40, k: 4096, sizes: [64], addend: true }),
  fewRowsCase({ numRows: 35, k: 64, sizes: [192, 192], swiGlu: true, norm: true, ranks: [8, 8] }),
  fewRowsCase({ numRows: 34, k: 64, sizes: [192, 192], swiGlu: true, norm: true, weight: "f16", dtype: "f16" }),
  fewRowsCase({ numRows: 50, k: 192, sizes: [64, 64], x: "f16", weight: "f16", dtype: "f16", bias: true }),
  fewRowsCase({ numRows: 33, k: 4160, sizes: [128], x: "f16", weight: "f16", addend: true, ranks: [8] }),
  fewRowsCase({ numRows: 64, k: 128, sizes: [64], x: "f16", weight: "f16", addend: true }),
];
