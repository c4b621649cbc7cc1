import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

/**
 * Projections of tokens side by side, q and k before their rotation, as an attention takes them: q rotated, then k rotated, then v, each rows of its own; and k and v
 * in rows of a cache too, token t in row slots[t]. Rotation as in `rope`.  One thread a pair, f32, rounded once.
 */
export type RotateRowsSpec = {
  inputType: FloatDtype;
  dtype: FloatDtype;
  cacheType: FloatDtype;
  /** q, k and v are columns of one tensor. */
  joined: boolean;
  workgroupSize: number;
};

export const rotateRowsKernel: Kernel<
  RotateRowsSpec,
  "q" | "k" | "v" | "positions" | "slots" | "cos" | "sin" | "y" | "keys" | "values",
  "numPairs" | "half" | "qPairs" | "kPairs" | "qStride" | "qFirst" | "kStride" | "kFirst" | "vStride" | "vFirst" | "kStart" | "vStart"
> = defineKernel<RotateRowsSpec>()({
  name: "rotateRows",
  bindings: {
    q: read("inputType"),
    k: read("inputType"),
    v: read("inputType"),
    positions: read("u32"),
    slots: read("u32"),
    cos: read("f32"),
    sin: read("f32"),
    y: write("dtype"),
    keys: write("cacheType"),
    values: write("cacheType"),
  },
  unused: ({ joined }) => (joined ? ["k", "v"] : []),
  params: {
    numPairs: "u32",
    half: "u32",
    qPairs: "u32",
    kPairs: "u32",
    qStride: "u32",
    qFirst: "u32",
    kStride: "u32",
    kFirst: "u32",
    vStride: "u32",
    vFirst: "u32",
    kStart: "u32",
    vStart: "u32",
  },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  cost: ({ numPairs }) => ({ bytes: 12 * numPairs, flops: 6 * numPairs }),
  grid: ({ numPairs }, { workgroupSize }) => oneThreadPer(numPairs, workgroupSize),
  examples: [
    { inputType: "f32", dtype: "f32", cacheType: "f32", joined: true },
    { inputType: "f16", dtype: "f16", cacheType: "f16", joined: true },
  ],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let pair = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (pair >= params.numPairs) { return; }
      let perToken = params.qPairs + 2u * params.kPairs;
      let token = pair / perToken;
      let place = pair % perToken; // q, k, v
      let isQuery = place < params.qPairs;
      let isValue = place >= params.qPairs + params.kPairs;
      let own = place - select(select(params.qPairs, params.qPairs + params.kPairs, isValue), 0u, isQuery);
      let j = own % params.half;
      let first = 2u * own - j; // pair = head · half + j lies at head · 2 · half + j
      var a: f32;
      var b: f32;
      if (isQuery) {
        let start = token * params.qStride + params.qFirst + first;
        a = f32(q[start]);
        b = f32(q[start + params.half]);
      } else if (isValue) {
        let start = token * params.vStride + params.vFirst + first;
        a = f32(${spec.joined ? "q" : "v"}[start]);
        b = f32(${spec.joined ? "q" : "v"}[start + params.half]);
      } else {
        let start = token * params.kStride + params.kFirst + first;
        a = f32(${spec.joined ? "q" : "k"}[start]);
        b = f32(${spec.joined ? "q" : "k"}[start + params.half]);
      }
      let angle = positions[token] * params.half + j;
      let cosine = select(cos[angle], 1.0, isValue);
      let sine = select(sin[angle], 0.0, isValue);
      let turned = vec2<f32>(a * cosine - b * sine, b * cosine + a * sine);
      let width = 2u * select(params.kPairs, params.qPairs, isQuery);
      let to = token * width + first + select(select(params.kStart, params.vStart, isValue), 0u, isQuery);
      y[to] = Dtype(turned.x);
      y[to + params.half] = Dtype(turned.y);
      if (isQuery) { return; }
      let kept = slots[token] * width + first;
      if (isValue) {
        values[kept] = ${spec.cacheType}(turned.x);
        values[kept + params.half] = ${spec.cacheType}(turned.y);
      } else {
        keys[kept] = ${spec.cacheType}(turned.x);
        keys[kept + params.half] = ${spec.cacheType}(turned.y);
      }
    }`,
});
