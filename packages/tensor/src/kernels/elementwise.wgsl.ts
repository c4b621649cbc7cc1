import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { binaryFunctions, unaryFunctions, type BinaryFunction, type UnaryFunction } from "./lib/elementwise-functions.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { floatAlias, packedBytes, type Packed } from "./lib/vector.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** y[i] = f(a[i mod aCount], b[i mod bCount]) in f32, rounded to `dtype`.  One thread per packed element. */
export type BinarySpec = { fn: BinaryFunction; aType: Packed; bType: Packed; dtype: Packed; workgroupSize: number };

export const binaryKernel: Kernel<BinarySpec, "a" | "b" | "y", "count" | "aCount" | "bCount"> = defineKernel<BinarySpec>()({
  name: "binary",
  bindings: { a: read("aType"), b: read("bType"), y: write("dtype") },
  params: { count: "u32", aCount: "u32", bCount: "u32" },
  variants,
  cost: ({ count }, { aType, bType, dtype }) => ({
    bytes: (packedBytes(aType) + packedBytes(bType) + packedBytes(dtype)) * count,
    flops: count,
  }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { fn: "add", aType: "f32", bType: "f32", dtype: "f32" },
    { fn: "mul", aType: "vec4<f32>", bType: "vec4<f16>", dtype: "vec4<f16>" },
    { fn: "div", aType: "vec4<f32>", bType: "vec4<f32>", dtype: "vec4<f32>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.dtype)}
    fn apply(a: Float, b: Float) -> Float { ${binaryFunctions[spec.fn]} }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.count) { y[i] = Dtype(apply(Float(a[i % params.aCount]), Float(b[i % params.bCount]))); }
    }`,
});

/** a[i] += scale · b[i].  One thread per packed element. */
export type AddInPlaceSpec = { aType: Packed; bType: Packed; workgroupSize: number };

export const addInPlaceKernel: Kernel<AddInPlaceSpec, "a" | "b", "count" | "scale"> = defineKernel<AddInPlaceSpec>()({
  name: "addInPlace",
  bindings: { a: write("aType"), b: read("bType") },
  params: { count: "u32", scale: "f32" },
  variants,
  cost: ({ count }, { aType, bType }) => ({ bytes: (2 * packedBytes(aType) + packedBytes(bType)) * count, flops: 2 * count }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { aType: "f32", bType: "f32" },
    { aType: "vec4<f32>", bType: "vec4<f32>" },
  ],
  wgsl: (spec) => wgsl`
    ${floatAlias(spec.aType)}
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.count) { a[i] = ${spec.aType}(Float(a[i]) + params.scale * Float(b[i])); }
    }`,
});

/** y[i] = f(x[i], p, q).  One thread per element, f32. */
export type UnarySpec = { fn: UnaryFunction; workgroupSize: number };

const unaryExamples: Partial<UnarySpec>[] = (["sigmoid", "maximum", "log", "exp", "logSigmoid", "logOneMinusExp", "clamp"] as const).map(
  (fn) => ({ fn }),
);

export const unaryKernel: Kernel<UnarySpec, "x" | "y", "size" | "p" | "q"> = defineKernel<UnarySpec>()({
  name: "unary",
  bindings: { x: read("f32"), y: write("f32") },
  params: { size: "u32", p: "f32", q: "f32" },
  variants,
  cost: ({ size }) => ({ bytes: 8 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: unaryExamples,
  wgsl: (spec) => wgsl`
    ${unaryFunctions[spec.fn].calls ?? ""}
    fn apply(x: f32, p: f32, q: f32) -> f32 { return ${unaryFunctions[spec.fn].value}; }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { y[i] = apply(x[i], params.p, params.q); }
    }`,
});

/** dx[i] = dy[i] · f'(value[i], p, q), where value is what f saves of its argument and result.  One thread per element, f32. */
export const unaryBackwardKernel: Kernel<UnarySpec, "value" | "dy" | "dx", "size" | "p" | "q"> = defineKernel<UnarySpec>()({
  name: "unaryBackward",
  bindings: { value: read("f32"), dy: read("f32"), dx: write("f32") },
  params: { size: "u32", p: "f32", q: "f32" },
  variants,
  cost: ({ size }) => ({ bytes: 16 * size, flops: size }),
  grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
  examples: unaryExamples,
  wgsl: (spec) => wgsl`
    ${unaryFunctions[spec.fn].calls ?? ""}
    fn derivative(${unaryFunctions[spec.fn].saves}: f32, p: f32, q: f32) -> f32 { return ${unaryFunctions[spec.fn].derivative}; }

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.size) { dx[i] = dy[i] * derivative(value[i], params.p, params.q); }
    }`,
});

/** y[i] = a[i mod aCount] where condition[i mod conditionCount] is not 0, else b[i mod bCount], rounded to `dtype`.  One thread per packed element. */
export type WhereSpec = { conditionType: string; aType: Packed; bType: Packed; dtype: Packed; workgroupSize: number };

export const whereKernel: Kernel<WhereSpec, "condition" | "a" | "b" | "y", "count" | "conditionCount" | "aCount" | "bCount"> =
  defineKernel<WhereSpec>()({
    name: "where",
    bindings: { condition: read("conditionType"), a: read("aType"), b: read("bType"), y: write("dtype") },
    params: { count: "u32", conditionCount: "u32", aCount: "u32", bCount: "u32" },
    variants,
    cost: ({ count }, { aType, dtype }) => ({ bytes: (2 * packedBytes(aType) + packedBytes(dtype)) * count, flops: count }),
    grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
    examples: [
      { conditionType: "u32", aType: "f32", bType: "f32", dtype: "f32" },
      { conditionType: "vec4<f32>", aType: "vec4<f16>", bType: "vec4<f32>", dtype: "vec4<f16>" },
    ],
    wgsl: (spec) => wgsl`
    ${floatAlias(spec.dtype)}
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.count) { return; }
      let isZero = condition[i % params.conditionCount] == ${spec.conditionType}();
      y[i] = Dtype(select(Float(a[i % params.aCount]), Float(b[i % params.bCount]), isZero));
    }`,
  });

/** y[i] = x[i] in another dtype.  One thread per packed element. */
export type CastSpec = { xType: Packed; dtype: Packed; workgroupSize: number };

export const castKernel: Kernel<CastSpec, "x" | "y", "count"> = defineKernel<CastSpec>()({
  name: "cast",
  bindings: { x: read("xType"), y: write("dtype") },
  params: { count: "u32" },
  variants,
  cost: ({ count }, { xType, dtype }) => ({ bytes: (packedBytes(xType) + packedBytes(dtype)) * count, flops: 0 }),
  grid: ({ count }, { workgroupSize }) => oneThreadPer(count, workgroupSize),
  examples: [
    { xType: "f32", dtype: "f16" },
    { xType: "vec4<f16>", dtype: "vec4<f32>" },
  ],
  wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i < params.count) { y[i] = Dtype(x[i]); }
    }`,
});
