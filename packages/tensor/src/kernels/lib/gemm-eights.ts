import { wgsl } from "../wgsl.js";
import type { GemmSpec } from "./gemm.js";

/** `fn packEight(a, b)` and `fn unpackFour(v)`: f32 as f16 and back. */
export function packEight({ matrix }: Pick<GemmSpec, "matrix">): string {
  const half = matrix === "emulated" ? "vec2<u32>(pack2x16float(v.xy), pack2x16float(v.zw))" : "bitcast<vec2<u32>>(vec4<f16>(v))";
  return wgsl`
    fn packFour(v: vec4<f32>) -> vec2<u32> { return ${half}; }
    fn packEight(a: vec4<f32>, b: vec4<f32>) -> vec4<u32> { return vec4<u32>(packFour(a), packFour(b)); }
    fn unpackFour(v: vec2<u32>) -> vec4<f32> { return vec4<f32>(unpack2x16float(v.x), unpack2x16float(v.y)); }`;
}

/** `fn writeEight(row, col, split, a, b)`: alpha, bias, addend, accumulation and one rounding for eight neighbours of a row. */
export function writeEight({
  hasBias,
  hasAddend,
  accumulate,
  dtype,
}: Pick<GemmSpec, "hasBias" | "hasAddend" | "accumulate" | "dtype">): string {
  const add =
    dtype === "f16"
      ? ["unpackFour(c[place].xy)", "unpackFour(c[place].zw)"]
      : ["bitcast<vec4<f32>>(c[place])", "bitcast<vec4<f32>>(c[place + 1u])"];
  return wgsl`
    ${hasBias ? "fn biasAt(col: u32) -> vec4<f32> { return vec4<f32>(bias[col], bias[col + 1u], bias[col + 2u], bias[col + 3u]); }" : ""}
    fn writeEight(row: u32, col: u32, split: u32, a: vec4<f32>, b: vec4<f32>) {
      if (row >= params.m || col >= params.n) { return; }
      let index = row * params.n + col;
      let place = (params.cOffset + split * params.m * params.n + index) / ${dtype === "f16" ? 8 : 4}u;
      var first = params.alpha * a;
      var second = params.alpha * b;
      ${hasBias ? "first += biasAt(col);\nsecond += biasAt(col + 4u);" : ""}
      ${hasAddend ? "first += addend[index / 4u];\nsecond += addend[index / 4u + 1u];" : ""}
      ${accumulate ? `first += ${add[0]!};\nsecond += ${add[1]!};` : ""}
      ${dtype === "f16" ? "c[place] = packEight(first, second);" : "c[place] = bitcast<vec4<u32>>(first);\nc[place + 1u] = bitcast<vec4<u32>>(second);"}
    }`;
}
