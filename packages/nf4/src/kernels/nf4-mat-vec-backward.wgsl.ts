import { always, computeMain, defineKernel, oneGroupPer, read, unroll, wgsl, write, type FloatDtype, type Kernel } from "@kto/tensor";
import { decodeFunctions, fourWeights, type DecodeBinding, type DecodeParam, type DecodeSpec } from "./lib/decode.js";

/**
 * dx[row, k] = sum over n of dy[row, n] · W[n, k] [+ dx[row, k]] for few rows, straight from the codes of W [n, k], k a multiple of 8; f32.
 * A lane has eight neighbouring k and every DEPTH_LANES-th n of `rows` rows; the lanes of a depth are added up at the end.
 */
export type MatVecBackwardSpec = DecodeSpec & {
  dyType: FloatDtype;
  accumulate: boolean;
  halfOperand: boolean;
  rows: 1 | 2 | 4;
  /** Lanes that share a sum: 1 needs no workgroup memory. */
  depthLanes: number;
};

export const matVecBackwardKernel: Kernel<MatVecBackwardSpec, DecodeBinding | "dy" | "dx", DecodeParam | "m" | "n" | "k"> =
  defineKernel<MatVecBackwardSpec>()({
    name: "nf4MatVecBackward",
    bindings: {
      dy: read("dyType"),
      codes: read("u32"),
      absmax: read("u32"),
      nestedAbsmax: read("f32"),
      tables: read("f32"),
      dx: write("vec4<f32>"),
    },
    params: { m: "u32", n: "u32", k: "u32", blockShift: "u32", offset: "f32", zero: "u32" },
    variants: [
      { name: "workgroup", when: ({ software }) => !software, spec: { workgroupSize: 256, depthLanes: 64, tablesIn: "workgroup" } },
      { name: "plain", when: always, spec: { workgroupSize: 64, depthLanes: 1, tablesIn: "storage" } },
    ],
    cost: ({ m, n, k }, { rows }) => ({ bytes: Math.ceil(m / rows) * 0.5 * n * k, flops: 2 * m * n * k }),
    grid: ({ m, k }, { workgroupSize, depthLanes, rows }) => {
      const [x, y] = oneGroupPer(Math.ceil(k / 8 / (workgroupSize / depthLanes)));
      return [x, y, Math.ceil(m / rows)];
    },
    examples: [
      { weightType: "bfloat16", nested: true, dyType: "f16", accumulate: true, halfOperand: true, rows: 4 },
      { weightType: "float32", nested: false, dyType: "f32", accumulate: false, halfOperand: false, rows: 1 },
    ],
    wgsl: (spec) => {
      const wordLanes = spec.workgroupSize / spec.depthLanes;
      const start = wgsl`
        let row@i = min(group.z * ROWS + @iu, params.m - 1u);
        var low@i = vec4<f32>();
        var high@i = vec4<f32>();`;
      const add = wgsl`
        let gradient@i = f32(dy[row@i * params.n + n]);
        low@i += gradient@i * low;
        high@i += gradient@i * high;`;
      const put = wgsl`
        let lowTotal@i = sumOverDepth(low@i, lane);
        let highTotal@i = sumOverDepth(high@i, lane);
        if (isMine && group.z * ROWS + @iu < params.m) {
          let place = 2u * (row@i * words + word);
          dx[place] = ${spec.accumulate ? "dx[place] + " : ""}lowTotal@i;
          dx[place + 1u] = ${spec.accumulate ? "dx[place + 1u] + " : ""}highTotal@i;
        }`;
      return wgsl`
        ${decodeFunctions(spec)}
        ${fourWeights(spec)}
        ${sumOverDepth(spec)}

        ${computeMain(spec)} {
          loadTables(lane);
          let words = params.k / 8u;
          let wantedWord = foldedIndex(group, groups) * ${wordLanes}u + lane % ${wordLanes}u;
          let word = min(wantedWord, words - 1u);
          let isMine = wantedWord < words && lane < ${wordLanes}u;
          ${unroll(spec.rows, start)}
          for (var n = lane / ${wordLanes}u; n < params.n; n += DEPTH_LANES) {
            let place = n * words + word;
            let packed = codes[place];
            let scale = scaleOf(place >> (params.blockShift - 3u));
            let low = fourWeights(packed, scale);
            let high = fourWeights(packed >> 16u, scale);
            ${unroll(spec.rows, add)}
          }
          ${unroll(spec.rows, put)}
        }`;
    },
  });

/** `fn sumOverDepth(value: vec4<f32>, lane: u32) -> vec4<f32>`: the sum over the lanes of one word, right in its first lane. */
function sumOverDepth({ workgroupSize, depthLanes }: MatVecBackwardSpec): string {
  if (depthLanes === 1) return "fn sumOverDepth(value: vec4<f32>, lane: u32) -> vec4<f32> { return value; }";
  return wgsl`
    var<workgroup> depthParts: array<vec4<f32>, ${workgroupSize}>;
    fn sumOverDepth(value: vec4<f32>, lane: u32) -> vec4<f32> {
      workgroupBarrier();
      depthParts[lane] = value;
      workgroupBarrier();
      for (var stride = ${workgroupSize / 2}u; stride >= ${workgroupSize / depthLanes}u; stride /= 2u) {
        if (lane < stride) { depthParts[lane] += depthParts[lane + stride]; }
        workgroupBarrier();
      }
      return depthParts[lane];
    }`;
}
