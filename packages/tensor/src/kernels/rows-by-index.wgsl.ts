import { byteSize, type FloatDtype } from "../dtype.js";
import { always, defineKernel, read, write, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { wgsl } from "./wgsl.js";

const variants = [{ name: "plain", when: always, spec: { workgroupSize: 64 } }];

/** y[row, col] = x[indices[row], col]; an index past the last row reads the last row.  One thread per element of y. */
export type GatherRowsSpec = { xType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const gatherRowsKernel: Kernel<GatherRowsSpec, "x" | "indices" | "y", "size" | "rowSize" | "numSourceRows"> =
  defineKernel<GatherRowsSpec>()({
    name: "gatherRows",
    bindings: { x: read("xType"), indices: read("u32"), y: write("dtype") },
    params: { size: "u32", rowSize: "u32", numSourceRows: "u32" },
    variants,
    cost: ({ size }, { xType, dtype }) => ({ bytes: (byteSize(xType) + byteSize(dtype)) * size, flops: 0 }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [
      { xType: "f32", dtype: "f32" },
      { xType: "f16", dtype: "f32" },
    ],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let source = min(indices[i / params.rowSize], params.numSourceRows - 1u);
      y[i] = Dtype(x[source * params.rowSize + i % params.rowSize]);
    }`,
  });

/** y[indices[row], col] = x[row, col], other rows untouched; indices differ.  One thread per element of x. */
export type WriteRowsSpec = { xType: FloatDtype; dtype: FloatDtype; workgroupSize: number };

export const writeRowsKernel: Kernel<WriteRowsSpec, "x" | "indices" | "y", "size" | "rowSize" | "numTargetRows"> =
  defineKernel<WriteRowsSpec>()({
    name: "writeRows",
    bindings: { x: read("xType"), indices: read("u32"), y: write("dtype") },
    params: { size: "u32", rowSize: "u32", numTargetRows: "u32" },
    variants,
    cost: ({ size }, { xType, dtype }) => ({ bytes: (byteSize(xType) + byteSize(dtype)) * size, flops: 0 }),
    grid: ({ size }, { workgroupSize }) => oneThreadPer(size, workgroupSize),
    examples: [
      { xType: "f32", dtype: "f32" },
      { xType: "f16", dtype: "f16" },
    ],
    wgsl: (spec) => wgsl`
    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      if (i >= params.size) { return; }
      let destination = indices[i / params.rowSize];
      if (destination < params.numTargetRows) { y[destination * params.rowSize + i % params.rowSize] = Dtype(x[i]); }
    }`,
  });
