import type { Nf4Weight } from "@kto/nf4";
import { gemm, type Capabilities, type Device, type FloatDtype, type Tensor, type Variant } from "@kto/tensor";
import { matVecBackwardKernel } from "../../packages/nf4/src/kernels/nf4-mat-vec-backward.wgsl.js";
import { matVecKernel } from "../../packages/nf4/src/kernels/nf4-mat-vec.wgsl.js";
import { decodeArguments } from "../../packages/nf4/src/ops/expand.js";

/** y = x · Wᵀ, or dx = dy · W. */
export type Direction = "forward" | "backward";

/** A product of some rows with a four-bit weight [n, k]. */
export interface Product {
  weight: Nf4Weight;
  direction: Direction;
  m: number;
  /** [m, k] forward, [m, n] backward; its dtype is that of the operands. */
  input: Tensor;
  /** [m, n] forward, in any dtype; [m, k] f32 backward. */
  output: Tensor;
}

/** The matrix is written out first; every other way is a variant of the kernels that read the codes. */
export const scratch = "scratch";

/** Ways of computing a product on this device; on a software adapter those of GPUs too. */
export function waysOf(device: Device, direction: Direction, [, k]: readonly [number, number]): string[] {
  return k % 8 === 0
    ? [
        scratch,
        ...(direction === "forward"
          ? variantsOf(device.capabilities, matVecKernel)
          : variantsOf(device.capabilities, matVecBackwardKernel)),
      ]
    : [scratch];
}

/** Names of the variants that can run on a device. */
export function variantsOf<S>(
  capabilities: Capabilities,
  { variants }: { variants: readonly Variant<S>[] },
  spec: Partial<S> = {},
): string[] {
  const onGpu = { ...capabilities, software: false };
  return variants.filter(({ when, spec: own }) => when(onGpu, { ...own, ...spec } as S)).map(({ name }) => name);
}

const kernels = { forward: matVecKernel, backward: matVecBackwardKernel };

/** Records a product. */
export function compute(device: Device, way: string, { weight, direction, m, input, output }: Product): void {
  const [n, k] = weight.shape;
  const operand = input.dtype as FloatDtype;
  if (way === scratch) {
    const w = weight.dequantize(operand);
    if (direction === "forward") gemm({ a: input, b: w, c: output, m, n, k, transposeB: true });
    else gemm({ a: input, b: w, c: output, m, n: k, k: n });
    w.dispose();
    return;
  }
  const { bindings, params, spec } = decodeArguments(weight);
  const halfOperand = operand === "f16";
  const rows = m >= 3 ? 4 : (m as 1 | 2);
  device.recorder.variants.set(kernels[direction].name, way);
  if (direction === "forward") {
    matVecKernel.run(
      device,
      { ...bindings, x: input, bias: weight.tensors.tables, y: output },
      { ...params, m, n, k },
      { ...spec, xType: operand, dtype: output.dtype as FloatDtype, hasBias: false, halfOperand, rows },
    );
  } else {
    matVecBackwardKernel.run(
      device,
      { ...bindings, dy: input, dx: output },
      { ...params, m, n, k },
      { ...spec, dyType: operand, accumulate: false, halfOperand, rows },
    );
  }
  device.recorder.variants.delete(kernels[direction].name);
}
