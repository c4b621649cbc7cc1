import {
  columnsOf,
  depthWaysFor,
  fewRowsLaunch,
  fewRowsLayout,
  fewRowsMatrixSpec,
  fewRowsSpec,
  goesToMatrices,
  halfInput,
  sharedBuffer,
  threeOf,
  type FewRowsInput,
  type LowRankDelta,
  type Tensor,
} from "@kto/tensor";
import { nf4FewRowsKernel, nf4FewRowsMatrixKernel } from "../kernels/nf4-few-rows.wgsl.js";
import { codeTableBytes, type codesParameters } from "../kernels/lib/few-rows.js";
import type { Nf4Tensors, Nf4Weight } from "../nf4-weight.js";
import type { QuantState } from "../quant-state.js";

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
  const codes = codesOf(parts.map(({ weight }) => weight));
  if (!layout || !codes) return undefined;
  const { device } = input.x;
  const { weight, params, state } = codes;
  const spec = { weightElement: "u32", weightType: state.dtype, nested: state.nested !== undefined } as const;
  const starts = { ...params, ...threeOf("weight", []) };
  const forced = device.recorder.variants.get("nf4FewRowsMatrix");
  if (state.blockSize >= matrixBlock && goesToMatrices(sized, input, forced)) {
    const halved = { ...input, ...halfInput(input) };
    const run = fewRowsLaunch(sized, halved, layout);
    const matrix = fewRowsMatrixSpec(halved, layout, { ownBytes: codeTableBytes });
    nf4FewRowsMatrixKernel.run(device, { ...run.bindings, weight }, { ...run.params, ...starts }, { ...matrix, ...spec });
    return run.y;
  }
  const run = fewRowsLaunch(sized, input, layout);
  const depthWays = depthWaysFor(columnsOf(sized), run.params.k);
  nf4FewRowsKernel.run(
    device,
    { ...run.bindings, weight },
    { ...run.params, ...starts },
    { ...fewRowsSpec(input, layout), ...spec, depthWays },
  );
  return run.y;
}

/** Weights as one buffer of words, and where their parts lie in it. */
interface CodesTogether {
  weight: Tensor;
  state: QuantState;
  params: Record<keyof typeof codesParameters, number>;
}

/** All of these weights as one buffer of words, and where their parts lie in it; undefined if they do not lie in one, or are decoded in different ways. */
function codesOf(weights: readonly Nf4Weight[]): CodesTogether | undefined {
  const first = weights[0]!;
  if (!weights.every((weight) => isLike(weight, first))) return undefined;
  const partsOf = (part: keyof Nf4Tensors): Tensor[] => weights.flatMap(({ tensors }) => tensors[part] ?? []);
  const names = ["codes", "absmax", "nestedAbsmax", "tables"] as const;
  const shared = sharedBuffer(names.flatMap(partsOf), "u32");
  if (!shared) return undefined;
  const starts = [...shared.starts];
  const [codes, absmax, nested, tables] = names.map((name) => starts.splice(0, partsOf(name).length));
  const { state } = first;
  return {
    weight: shared.whole,
    state,
    params: {
      ...threeOf("codes", codes!),
      ...threeOf("absmax", absmax!),
      ...threeOf("nested", nested!),
      ...threeOf(
        "offset",
        weights.map((weight) => weight.state.nested?.offset ?? 0),
      ),
      tables: tables![0]!,
      blockShift: Math.log2(state.blockSize),
      zero: 0,
    },
  };
}

/** The same tables, blocks and dtype; codes that are those of the matrix, row by row. */
function isLike({ state, shape }: Nf4Weight, { state: other }: Nf4Weight): boolean {
  return (
    !state.isTransposed &&
    state.dtype === other.dtype &&
    state.blockSize === other.blockSize &&
    shape[1] % 8 === 0 &&
    state.codes.every((code, index) => code === other.codes[index]) &&
    (state.nested === undefined) === (other.nested === undefined) &&
    (state.nested?.codes ?? []).every((code, index) => code === other.nested!.codes[index])
  );
}
