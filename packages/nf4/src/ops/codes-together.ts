import { columnsOf, sharedBuffer, threeOf, type FewRowsSize, type Tensor } from "@kto/tensor";
import { expandPartsKernel } from "../kernels/expand-parts.wgsl.js";
import type { codesParameters } from "../kernels/lib/few-rows.js";
import type { Nf4Tensors, Nf4Weight } from "../nf4-weight.js";
import type { QuantState } from "../quant-state.js";

/** Weights as one buffer of words, and where their parts lie in it. */
export interface CodesTogether {
  weight: Tensor;
  state: QuantState;
  params: Record<keyof typeof codesParameters, number>;
}

/** What of it does not change while the weights stay what they are: a model asks with the same ones for every prompt. */
interface Layout extends Omit<CodesTogether, "weight"> {
  /** Those of each weight. */
  tensors: readonly Nf4Weight["tensors"][];
  /** Bytes, in the buffer. */
  start: number;
  numWords: number;
}

/** By the first of the weights. */
const layouts = new WeakMap<Nf4Weight, Layout[]>();

/** All of these weights as one buffer of words, and where their parts lie in it; undefined if they do not lie in one, or are decoded in different ways. */
export function codesTogether(weights: readonly Nf4Weight[]): CodesTogether | undefined {
  const first = weights[0]!;
  const isOf = ({ tensors }: Layout): boolean =>
    tensors.length === weights.length && tensors.every((each, index) => each === weights[index]!.tensors);
  const known = layouts.get(first)?.find(isOf);
  if (known) {
    const { codes } = first.tensors;
    return { ...known, weight: codes.device.viewOf(codes, [known.numWords], known.start, "tensors of one buffer") };
  }
  const made = findLayout(weights);
  if (!made) return undefined;
  const { weight, state, params } = made;
  const layout = { state, params, tensors: weights.map(({ tensors }) => tensors), start: weight.byteOffset, numWords: weight.size };
  layouts.set(first, [...(layouts.get(first) ?? []).filter(({ tensors }) => tensors[0] === first.tensors), layout]);
  return made;
}

function findLayout(weights: readonly Nf4Weight[]): CodesTogether | undefined {
  const first = weights[0]!;
  if (!weights.every((weight) => isLike(weight, first))) return undefined;
  const partsOf = (part: keyof Nf4Tensors): Tensor[] => weights.flatMap(({ tensors }) => tensors[part] ?? []);
  const names = ["codes", "absmax", "nestedAbsmax", "tables"] as const;
  const shared = sharedBuffer(names.flatMap(partsOf), "u32");
  if (!shared) return undefined;
  const starts = [...shared.starts];
  const [codes, absmax, nested, tables] = names.map((name) => starts.splice(0, partsOf(name).length));
  const { state } = first;
  const offsets = weights.map((weight) => weight.state.nested?.offset ?? 0);
  const params = {
    ...threeOf("codes", codes!),
    ...threeOf("absmax", absmax!),
    ...threeOf("nested", nested!),
    ...threeOf("offset", offsets),
    tables: tables![0]!,
    blockShift: Math.log2(state.blockSize),
    zero: 0,
  };
  return { weight: shared.whole, state, params };
}

/**
 * The matrices in full, one after another, as operands of a product: [sum of n, k] f16, in the current scope.
 *
 * @param parts  their sizes
 */
export function expandTogether({ weight, params, state }: CodesTogether, parts: readonly FewRowsSize[]): Tensor {
  const { device } = weight;
  const k = parts[0]!.inFeatures;
  const w = device.empty([columnsOf(parts), k], "f16", "weights in full");
  const ends = parts.map((_, index) => (columnsOf(parts.slice(0, index + 1)) * k) / 8);
  const words = ends.at(-1)!;
  expandPartsKernel.run(
    device,
    { weight, w },
    { ...params, words, end0: ends[0]!, end1: ends[1] ?? words },
    { weightElement: "u32", weightType: state.dtype, nested: state.nested !== undefined },
  );
  return w;
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
