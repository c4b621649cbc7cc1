import type { QuantState } from "@kto/nf4";
import { modelTree, weightSpecs, type DecoderConfig, type WeightSpec } from "@kto/qwen2";
import { byteSizeOf, toFloat32, weightRows, type RowRange, type WeightInfo, type WeightSource } from "@kto/safetensors";
import { isEmbeddingModule } from "@kto/tensor";
import { expectFiniteSums, fitAdapters, readProducts, type AdapterToMerge, type BroughtMatrix, type FittedAdapters } from "./adapters.js";
import { openBaseWeights, type ModelOnDisk } from "./base-weights.js";
import { addLowRank, type LowRankProduct } from "./low-rank.js";
import { Recent } from "./recent.js";
import { expectSameConfig, expectSameWeights } from "./same-model.js";

/** What is merged. */
export interface MergeOptions {
  /** In the order in which they are added; none: the base as it is, dequantised. */
  readonly adapters?: readonly AdapterToMerge[] | undefined;
  /** The model in 16 or 32 bits that `model` was quantised from: the adapters are added to its weights, and all others are its own. */
  readonly base16?: ModelOnDisk | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** The weights of a model with adapters merged into them, computed as they are read. */
export interface MergedWeights extends WeightSource {
  /** `tieWordEmbeddings` as it is now: an adapter that brings a head of its own parts it from the embedding. */
  readonly config: DecoderConfig;
  /** What a checkpoint of it holds, in the order of `tensors`. */
  readonly specs: readonly WeightSpec[];
  /** What the adapters are added to: plain weights of the model, those of layers in four bits dequantised, or the 16-bit base. */
  readonly base: "plain" | "nf4" | "base16";
  /** The layers that are in four bits in the model's own checkpoint, by path. */
  readonly quantized: ReadonlyMap<string, QuantState>;
  /** As `read`; also Σ (merged − base)² over these rows. */
  readWithChange(name: string, rows?: RowRange): Promise<{ values: Float32Array; changeSquares: number }>;
}

/** Layers whose matrices are held at a time. */
const mostHeld = 4;

/**
 * The weights W + Σ weightᵢ · scaleᵢ · BᵢAᵢ of a model with adapters: the sum of products that peft's `add_weighted_adapter` gives with
 * `combination_type="cat"`, with one adapter `merge_and_unload`. The products are summed in f64 and added in f32; whoever writes them rounds once. Embedding
 * and head that an adapter brings take the place of the model's. Nothing but the rows asked for, the scales of some layers and their A and B is held.
 *
 * Throws, before any weight is read, FormatError, ShapeError, DtypeError for a model whose files are wrong, as `openAdapterTensors` for adapters that do not
 * fit it, AdapterFileError for NaN in one, FormatError for a `base16` of another shape, vocabulary or other weights; from `read`, FormatError for a sum that is
 * not finite.
 */
export async function mergedWeights(model: ModelOnDisk, { adapters = [], base16, signal }: MergeOptions = {}): Promise<MergedWeights> {
  const own = await openBaseWeights(model, signal);
  if (base16) expectSameConfig(own.config, base16.config);
  const base = base16 ? await openBaseWeights(base16, signal) : own;
  if (base !== own) await expectSameWeights(own, base);
  const tree = modelTree(base.config);
  const { layers, brought } = await fitAdapters(adapters, tree, signal);
  const embeddings = standIns(brought, {
    paths: Array.from(tree.namedModules()).flatMap(([path, module]) => (isEmbeddingModule(module) ? [path] : [])),
    isTied: base.config.tieWordEmbeddings,
  });
  const config = { ...base.config, tieWordEmbeddings: embeddings.isTied };
  const specs = weightSpecs(config);
  const tensors = new Map(
    specs.map(({ name, shape, linear }): [string, WeightInfo] => {
      const matrix = embeddings.matrices.get(name);
      if (matrix) return [name, { shape, dtype: matrix.file.tensors.get(matrix.tensor)!.dtype as WeightInfo["dtype"] }];
      const isMerged = linear !== undefined && layers.has(linear);
      return [name, { shape, dtype: isMerged ? "F32" : base.tensors.get(embeddings.ownName(name))!.dtype }];
    }),
  );
  const pathOf = new Map(specs.map(({ name, linear }) => [name, linear]));
  const held = new Recent<LowRankProduct[]>(mostHeld);
  const readWithChange: MergedWeights["readWithChange"] = async (name, rows) => {
    const { from, to, rowSize } = weightRows(tensors, name, rows);
    const matrix = embeddings.matrices.get(name);
    if (matrix) return { values: await readMatrix(matrix, { from, to, rowSize }), changeSquares: 0 };
    const values = await base.read(embeddings.ownName(name), { from, to });
    const adapted = layers.get(pathOf.get(name) ?? "");
    if (!adapted) return { values, changeSquares: 0 };
    const products = await held.get(name, () => readProducts(adapted));
    const changeSquares = addLowRank({ values, inFeatures: rowSize, from }, products);
    expectFiniteSums(values, name, from * rowSize);
    return { values, changeSquares };
  };
  return {
    tensors,
    config,
    specs,
    base: base !== own ? "base16" : own.quantized.size > 0 ? "nf4" : "plain",
    quantized: own.quantized,
    read: async (name, rows) => (await readWithChange(name, rows)).values,
    readWithChange,
  };
}

/** What stands in for embedding and head, by the names of their tensors. */
interface StandIns {
  readonly matrices: ReadonlyMap<string, BroughtMatrix>;
  readonly isTied: boolean;
  /** The tensor of the base that holds a weight: a head that an adapter parted from its embedding has none of its own. */
  ownName(name: string): string;
}

/**
 * As peft loads them: a matrix that was trained in full stands in for its module alone; in a tied model one that was saved beside the adapter is loaded into
 * the matrix that both have, the head's last.
 */
function standIns(
  brought: FittedAdapters["brought"],
  { paths: [input, output], isTied }: { paths: readonly string[]; isTied: boolean },
): StandIns {
  const paths = [input!, output!];
  const beside = paths.map((path) => brought.get(path)).map((matrix) => (matrix?.isInFull ? undefined : matrix));
  const shared = isTied ? (beside[1] ?? beside[0]) : undefined;
  const chosen = paths.map((path, index) => {
    const matrix = brought.get(path);
    return matrix?.isInFull ? matrix : (shared ?? beside[index]);
  });
  const matrices = new Map(chosen.flatMap((matrix, index) => (matrix ? [[`${paths[index]!}.weight`, matrix] as const] : [])));
  const ownName = (name: string): string => (isTied && name === `${output!}.weight` ? `${input!}.weight` : name);
  return { matrices, isTied: isTied && chosen[0] === chosen[1], ownName };
}

async function readMatrix({ file, tensor }: BroughtMatrix, { from, to, rowSize }: RowRange & { rowSize: number }): Promise<Float32Array> {
  const { dtype } = file.tensors.get(tensor)!;
  const bytesPerRow = rowSize * byteSizeOf(dtype);
  return toFloat32(await file.readRange(tensor, from * bytesPerRow, to * bytesPerRow), dtype).values;
}
