import type { FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** Functions of two values. */
export const binaryFunctions = { add: "a + b", sub: "a - b", mul: "a * b" } as const;

/** Functions of one value and of a parameter `p`; every one is followed by its derivative as a function of x and y. */
export const unaryFunctions = {
  scale: { value: "x * p", derivative: "p" },
  shift: { value: "x + p", derivative: "1.0" },
  sigmoid: { value: "select(exp(x) / (1.0 + exp(x)), 1.0 / (1.0 + exp(-x)), x >= 0.0)", derivative: "y * (1.0 - y)" },
  maximum: { value: "max(x, p)", derivative: "select(0.0, 1.0, x > p)" },
} as const;

export type BinaryFunction = keyof typeof binaryFunctions;
export type UnaryFunction = keyof typeof unaryFunctions;

/** y[i] = f(a[i mod aSize], b[i mod bSize]) in f32, rounded to `dtype`.  One thread per element. */
export type BinarySpec = { fn: BinaryFunction; aType: FloatDtype; bType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const binaryKernel: Kernel<BinarySpec, "a" | "b" | "y", "size" | "aSize" | "bSize"> = defineKernel<BinarySpec>()({
  name: "binary",
  bindings: { a: read("aType"), b: read("bType"), y: write("dtype") },
  params: { size: "u32", aSize: "u32", bSize: "u32" },
  variants,
  cost: ({ size }) => ({ bytes: 12 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [
    { fn: "add", aType: "f32", bType: "f32", dtype: "f32" },
    { fn: "mul", aType: "f32", bType: "f16", dtype: "f16" },
  ],
  wgsl: (spec) => wgsl`
    fn apply(a: f32, b: f32) -> f32 { return ${binaryFunctions[spec.fn]}; }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = Dtype(apply(f32(a[i % params.aSize]), f32(b[i % params.bSize]))); }
    }`,
});

/** a[i] += b[i].  One thread per element. */
export type AddInPlaceSpec = { aType: FloatDtype; bType: FloatDtype; workgroupSize: number };

export const addInPlaceKernel: Kernel<AddInPlaceSpec, "a" | "b", "size" | "scale"> = defineKernel<AddInPlaceSpec>()({
  name: "addInPlace",
  bindings: { a: write("aType"), b: read("bType") },
  params: { size: "u32", scale: "f32" },
  variants,
  cost: ({ size }) => ({ bytes: 12 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ aType: "f32", bType: "f32" }],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { a[i] = ${spec.aType}(f32(a[i]) + params.scale * f32(b[i])); }
    }`,
});

/** y[i] = f(x[i], p), or with `derivative` y[i] = dy[i] · f'(x[i], p).  One thread per element, f32. */
export type UnarySpec = { fn: UnaryFunction; workgroupSize: number };

export const unaryKernel: Kernel<UnarySpec, "x" | "y", "size" | "p"> = defineKernel<UnarySpec>()({
  name: "unary",
  bindings: { x: read("f32"), y: write("f32") },
  params: { size: "u32", p: "f32" },
  variants,
  cost: ({ size }) => ({ bytes: 8 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ fn: "sigmoid" }, { fn: "maximum" }],
  wgsl: (spec) => wgsl`
    fn apply(x: f32, p: f32) -> f32 { return ${unaryFunctions[spec.fn].value}; }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = apply(x[i], params.p); }
    }`,
});

export const unaryBackwardKernel: Kernel<UnarySpec, "x" | "y" | "dy" | "dx", "size" | "p"> = defineKernel<UnarySpec>()({
  name: "unaryBackward",
  bindings: { x: read("f32"), y: read("f32"), dy: read("f32"), dx: write("f32") },
  params: { size: "u32", p: "f32" },
  variants,
  cost: ({ size }) => ({ bytes: 16 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [{ fn: "sigmoid" }, { fn: "maximum" }],
  wgsl: (spec) => wgsl`
    fn derivative(x: f32, y: f32, p: f32) -> f32 { return ${unaryFunctions[spec.fn].derivative}; }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { dx[i] = dy[i] * derivative(x[i], y[i], params.p); }
    }`,
});

/** y[i] = x[i] in another dtype.  One thread per element. */
export type CastSpec = { xType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const castKernel: Kernel<CastSpec, "x" | "y", "size"> = defineKernel<CastSpec>()({
  name: "cast",
  bindings: { x: read("xType"), y: write("dtype") },
  params: { size: "u32" },
  variants,
  cost: ({ size }) => ({ bytes: 6 * size, flops: 0 }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: [
    { xType: "f32", dtype: "f16" },
    { xType: "f16", dtype: "f32" },
  ],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = Dtype(x[i]); }
    }`,
});
