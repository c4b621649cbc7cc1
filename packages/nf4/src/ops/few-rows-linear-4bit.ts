import {
  columnsOf,
  fewRowsLaunch,
  fewRowsLayout,
  fewRowsMatrixSpec,
  goesToMatrices,
  halfInput,
  isHalfProduct,
  manyRowsLinear,
  mostFewRows,
  plainLaunch,
  threeOf,
  type FewRowsInput,
  type FewRowsLayout,
  type FewRowsSize,
  type LowRankDelta,
  type Tensor,
} from "@kto/tensor";
import { nf4FewRowsKernel, nf4FewRowsMatrixKernel } from "../kernels/nf4-few-rows.wgsl.js";
import { codeTableBytes } from "../kernels/lib/few-rows.js";
import type { Nf4Weight } from "../nf4-weight.js";
import { codesTogether, expandTogether, type CodesTogether } from "./codes-together.js";

/** One weight of a product of few rows. */
export interface FewRows4bitPart {
  weight: Nf4Weight;
  /** [outFeatures] f32 */
  bias?: Tensor | undefined;
  /** Adds (x · aᵀ) · bᵀ · scale. */
  lowRank?: LowRankDelta | undefined;
}

/** A block of this many weights has one scale, and no piece of the depth has two. */
const matrixBlock = 64;

/**
 * As `fewRowsLinear`, with weights in four bits whose tensors all lie in one buffer: straight from the codes. Undefined, and nothing recorded, where the weights
 * are not of that kind, or were quantised in different ways.
 */
export function fewRowsLinear4bit(parts: readonly FewRows4bitPart[], input: FewRowsInput): Tensor | undefined {
  const sized = parts.map((part) => ({ ...part, inFeatures: part.weight.shape[1], outFeatures: part.weight.shape[0] }));
  const layout = fewRowsLayout(sized, input);
  const codes = codesTogether(parts.map(({ weight }) => weight));
  if (!layout || !codes) return undefined;
  const { device } = input.x;
  const { weight, params, state } = codes;
  if (input.x.shape[0]! > mostFewRows) return manyRowsLinear4bit(sized, codes, input, layout);
  const spec = { weightElement: "u32", weightType: state.dtype, nested: state.nested !== undefined } as const;
  const starts = { ...params, ...threeOf("weight", []) };
  const forced = device.recorder.variants.get("nf4FewRowsMatrix");
  if (state.blockSize >= matrixBlock && goesToMatrices(sized, input, forced, fewestMatrixRows)) {
    const halved = { ...input, ...halfInput(input) };
    const run = fewRowsLaunch(sized, halved, layout);
    const matrix = fewRowsMatrixSpec(halved, layout, { ownBytes: codeTableBytes });
    nf4FewRowsMatrixKernel.run(device, { ...run.bindings, weight }, { ...run.params, ...starts }, { ...matrix, ...spec });
    return run.y;
  }
  const own = { ...spec, evenBlocks: state.blockSize === 64 && input.x.shape[1]! % 256 === 0 };
  const run = plainLaunch(sized, input, layout, (given) => nf4FewRowsKernel.specOn(device, { ...given, ...own }));
  nf4FewRowsKernel.run(device, { ...run.bindings, weight }, { ...run.params, ...starts }, { ...run.spec, ...own });
  return run.y;
}

/**
 * From this many rows on a product with codes is quicker on matrix units: a pass of 3 and 4 rows of the 1.5B shape took 4.4 ms there, and 3.6 and 3.2 without them
 * (H200, 2026-12-01).
 */
const fewestMatrixRows = 5;

/** For more rows the matrices are written out first. Undefined where they may not be f16, or have no room in one. */
function manyRowsLinear4bit(
  parts: readonly FewRowsSize[],
  codes: CodesTogether,
  input: FewRowsInput,
  layout: FewRowsLayout,
): Tensor | undefined {
  const shape = [columnsOf(parts), parts[0]!.inFeatures] as const;
  const hasRoom = 2 * shape[0] * shape[1] <= input.x.device.capabilities.maxBindingBytes;
  if (!isHalfProduct(input) || !hasRoom) return undefined;
  const w = expandTogether(codes, parts);
  const y = manyRowsLinear(parts, w, input, layout);
  w.dispose();
  return y;
}
