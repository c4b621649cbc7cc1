import type { Capabilities } from "../../device/capabilities.js";
import { wgsl } from "../wgsl.js";

/**
 * How 16 × 16 matrices are multiplied: `subgroup` on matrix units, f16 operands and f32 sums, one matrix spread over the 32 lanes of a subgroup;
 * `emulated` in plain f32 arithmetic, slow and anywhere, so that what stands around the multiplications can be tested without such a GPU.
 */
export type MatrixMode = "subgroup" | "emulated";

/** True where `subgroup` works. */
export function hasSubgroupMatrix({ shaderF16, subgroups, subgroupMaxSize, subgroupMatrix }: Capabilities): boolean {
  return shaderF16 && subgroups && subgroupMaxSize === 32 && subgroupMatrix.includes("f16 f32 16x16x16");
}

/** Where besides workgroup memory holds two stages of a large product, 46,084 bytes with tiles of 128 × 192 × 32 and the number of the next. */
export function hasLargeStages(capabilities: Capabilities): boolean {
  return hasSubgroupMatrix(capabilities) && capabilities.maxWorkgroupStorageBytes >= 46_096;
}

/** Directives for `subgroupMatrices`. */
export function subgroupMatrixEnables(mode: MatrixMode): string[] {
  if (mode === "emulated") return ["enable subgroups;"];
  return [
    "enable f16;",
    "enable subgroups;",
    "enable chromium_experimental_subgroup_matrix;",
    "diagnostic(off, chromium.subgroup_matrix_uniformity);",
  ];
}

/**
 * Names of arrays by what they hold: `halves`, array<vec4<u32>> of eight f16 each; `sums`, array<vec4<f32>>; `sumBits`, array<vec4<u32>> of the bits of f32, which may
 * be one that held halves before.
 */
export interface MatrixArrays {
  halves: readonly string[];
  sums?: readonly string[];
  sumBits?: readonly string[];
}

/**
 * Types `Left`, `Right` and `Sum` (of zeros when constructed), and what `matrixCalls` needs of arrays in workgroup memory.
 */
export function subgroupMatrices(mode: MatrixMode, { halves, sums = [], sumBits = [] }: MatrixArrays): string {
  if (mode === "subgroup") return nativeTypes;
  return [emulated.types, ...halves.map(emulated.halves), ...sums.map(emulated.sums), ...sumBits.map(emulated.sumBits)].join("\n");
}

/** Text of what can be done with matrices. Offsets and strides, from one row in memory to the next, count vec4s. */
export interface MatrixCalls {
  /** 16 rows of an array of halves. */
  left(array: string, offset: string, stride: string): string;
  /** The same where its rows are the columns of the matrix. */
  leftOfColumns(array: string, offset: string, stride: string): string;
  right(array: string, offset: string, stride: string): string;
  rightOfRows(array: string, offset: string, stride: string): string;
  /** From an array of sums. */
  load(array: string, offset: string, stride: string): string;
  /** A statement, into an array of sums or of their bits. */
  store(array: string, offset: string, stride: string, sum: string): string;
  /** left · right + sum */
  multiplyAdd(left: string, right: string, sum: string): string;
  /** factor · sum */
  scaled(sum: string, factor: string): string;
}

/** The builtins themselves where there are any: functions around them made a product 13 % slower (H200, driver 580, 2026-12-01). */
export function matrixCalls(mode: MatrixMode): MatrixCalls {
  return mode === "subgroup" ? nativeCalls : emulatedCalls;
}

const nativeTypes = wgsl`
  alias Left = subgroup_matrix_left<f16, 16, 16>;
  alias Right = subgroup_matrix_right<f16, 16, 16>;
  alias Sum = subgroup_matrix_result<f32, 16, 16>;`;

const nativeLoad =
  (type: string, order: string) =>
  (array: string, offset: string, stride: string): string =>
    `subgroupMatrixLoad<${type}, ${order}_major>(&${array}, ${offset}, ${stride})`;

const nativeCalls: MatrixCalls = {
  left: nativeLoad("Left", "row"),
  leftOfColumns: nativeLoad("Left", "col"),
  right: nativeLoad("Right", "row"),
  rightOfRows: nativeLoad("Right", "col"),
  load: nativeLoad("Sum", "row"),
  store: (array, offset, stride, sum) => `subgroupMatrixStore<row_major>(&${array}, ${offset}, ${sum}, ${stride});`,
  multiplyAdd: (left, right, sum) => `subgroupMatrixMultiplyAccumulate(${left}, ${right}, ${sum})`,
  scaled: (sum, factor) => `subgroupMatrixScalarMultiply(${sum}, ${factor})`,
};

const emulatedLoad =
  (name: string) =>
  (array: string, offset: string, stride: string): string =>
    `${array}${name}(${offset}, ${stride})`;

const emulatedCalls: MatrixCalls = {
  left: emulatedLoad("Left"),
  leftOfColumns: emulatedLoad("LeftOfColumns"),
  right: emulatedLoad("Right"),
  rightOfRows: emulatedLoad("RightOfRows"),
  load: emulatedLoad("Load"),
  store: (array, offset, stride, sum) => `${array}Store(${offset}, ${stride}, ${sum});`,
  multiplyAdd: (left, right, sum) => `multiplyAdd(${left}, ${right}, ${sum})`,
  scaled: (sum, factor) => `scaled(${sum}, ${factor})`,
};

/** Lane 2 · row + side has one row of Left, and eight columns of Right and of one row of Sum. */
const emulated = {
  types: wgsl`
    struct Left { row: array<vec4<f32>, 4> }
    struct Right { rows: array<mat2x4<f32>, 16> }
    struct Sum { row: mat2x4<f32> }
    var<private> matrixLane: u32;
    fn multiplyAdd(left: Left, right: Right, sum: Sum) -> Sum {
      var row = sum.row;
      for (var depth = 0u; depth < 16u; depth++) { row += left.row[depth / 4u][depth % 4u] * right.rows[depth]; }
      return Sum(row);
    }
    fn scaled(sum: Sum, factor: f32) -> Sum { return Sum(factor * sum.row); }`,
  halves: (name: string): string => wgsl`
    fn ${name}Eight(place: u32) -> mat2x4<f32> {
      let packed = ${name}[place];
      return mat2x4<f32>(
        vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)),
        vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)),
      );
    }
    fn ${name}Left(offset: u32, stride: u32) -> Left {
      let place = offset + matrixLane / 2u * stride;
      let low = ${name}Eight(place);
      let high = ${name}Eight(place + 1u);
      return Left(array<vec4<f32>, 4>(low[0], low[1], high[0], high[1]));
    }
    fn ${name}LeftOfColumns(offset: u32, stride: u32) -> Left {
      var matrix = Left();
      let row = matrixLane / 2u;
      for (var depth = 0u; depth < 16u; depth++) {
        let eight = ${name}Eight(offset + depth * stride + row / 8u);
        matrix.row[depth / 4u][depth % 4u] = eight[row / 4u % 2u][row % 4u];
      }
      return matrix;
    }
    fn ${name}Right(offset: u32, stride: u32) -> Right {
      var matrix = Right();
      for (var depth = 0u; depth < 16u; depth++) { matrix.rows[depth] = ${name}Eight(offset + depth * stride + matrixLane % 2u); }
      return matrix;
    }
    fn ${name}RightOfRows(offset: u32, stride: u32) -> Right {
      var matrix = Right();
      for (var col = 0u; col < 8u; col++) {
        for (var depth = 0u; depth < 16u; depth++) {
          let eight = ${name}Eight(offset + (matrixLane % 2u * 8u + col) * stride + depth / 8u);
          matrix.rows[depth][col / 4u][col % 4u] = eight[depth / 4u % 2u][depth % 4u];
        }
      }
      return matrix;
    }`,
  sums: (name: string): string => wgsl`
    fn ${name}Load(offset: u32, stride: u32) -> Sum {
      let place = offset + matrixLane / 2u * stride + matrixLane % 2u * 2u;
      return Sum(mat2x4<f32>(${name}[place], ${name}[place + 1u]));
    }
    fn ${name}Store(offset: u32, stride: u32, sum: Sum) {
      let place = offset + matrixLane / 2u * stride + matrixLane % 2u * 2u;
      ${name}[place] = sum.row[0];
      ${name}[place + 1u] = sum.row[1];
    }`,
  sumBits: (name: string): string => wgsl`
    fn ${name}Store(offset: u32, stride: u32, sum: Sum) {
      let place = offset + matrixLane / 2u * stride + matrixLane % 2u * 2u;
      ${name}[place] = bitcast<vec4<u32>>(sum.row[0]);
      ${name}[place + 1u] = bitcast<vec4<u32>>(sum.row[1]);
    }`,
};

/** Stands at the start of the entry point, after `lane` is known. */
export function startMatrices(mode: MatrixMode): string {
  return mode === "emulated" ? "matrixLane = lane % 32u;" : "";
}
