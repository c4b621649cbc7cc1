import { matrixCalls } from "./subgroup-matrix.js";
import { list, stageLayout, tileDepth, type PipelinedSpec } from "./pipelined-tiles.js";

/** Fragments of a subgroup down and across, and depths of 16 in a tile. */
export function fragmentsOf({ subgroupRows, subgroupCols }: PipelinedSpec): { down: number; across: number; deep: number } {
  return { down: subgroupRows / 16, across: subgroupCols / 16, deep: tileDepth / 16 };
}

/** Loads one of two sets of fragments from a stage. */
export function fragments(spec: PipelinedSpec, set: number, stage: number, step: number): string[] {
  const { leftPitch, rightPitch, depthStep } = stageLayout(spec);
  const { down, across } = fragmentsOf(spec);
  const { left, right: rightOf, rightOfRows } = matrixCalls(spec.matrix);
  const right = spec.order === "columns" ? rightOf : rightOfRows;
  return [
    ...list(down, (i) => `left${set}_${i} = ${left(`stage${stage}`, `leftBase + ${16 * i * leftPitch + 2 * step}u`, `${leftPitch}u`)};`),
    ...list(across, (j) => `right${set}_${j} = ${right(`stage${stage}`, `rightBase${j} + ${step * depthStep}u`, `${rightPitch}u`)};`),
  ];
}

/** Multiplies a set of fragments. */
export function multiplications(spec: PipelinedSpec, set: number): string[] {
  const { down, across } = fragmentsOf(spec);
  const { multiplyAdd } = matrixCalls(spec.matrix);
  return list(down, (i) =>
    list(across, (j) => `sum${i}_${j} = ${multiplyAdd(`left${set}_${i}`, `right${set}_${j}`, `sum${i}_${j}`)};`),
  ).flat();
}
