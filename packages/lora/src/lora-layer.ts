import { dropoutMask, lowRankAdd, type FloatDtype, type LinearAdapter, type LowRankDelta, type Tensor } from "@kto/tensor";

/** One adapter's two matrices on one layer. */
export interface LoraLayer {
  /** A: [r, inFeatures] f32 */
  readonly a: Tensor;
  /** B: [outFeatures, r] f32 */
  readonly b: Tensor;
  readonly scale: number;
  /** Probability of dropping an input of the branch while training. */
  readonly dropout: number;
  /** Tells apart the dropout streams of layers. */
  readonly index: number;
}

/** Which adapters act at the moment; shared by all layers of a model. */
export interface ActiveAdapters {
  /** Names in the order in which their deltas are added. */
  names: readonly string[];
  /** Seed of the dropout masks; undefined outside training, where nothing is dropped. */
  dropoutSeed: number | undefined;
  /** The row of the masks that the first token of a forward pass gets. */
  dropoutRow: number;
}

/** The adapters of one linear layer: y = base + Σ scale · B(A(dropout(x))) over the active ones, added in f32 and rounded once. */
export class LoraSlot implements LinearAdapter {
  readonly layers: Map<string, LoraLayer> = new Map();
  readonly #active: ActiveAdapters;

  constructor(active: ActiveAdapters) {
    this.#active = active;
  }

  get isActive(): boolean {
    return this.#active.names.some((name) => this.layers.has(name));
  }

  /** Of the one adapter that acts; undefined where several do, or inputs are dropped. */
  get delta(): LowRankDelta | undefined {
    const [layer, ...others] = this.#activeLayers();
    const isDropping = layer !== undefined && layer.dropout > 0 && this.#active.dropoutSeed !== undefined;
    return others.length > 0 || isDropping ? undefined : layer;
  }

  apply(base: Tensor, x: Tensor, { dtype }: { dtype: FloatDtype }): Tensor {
    const layers = this.#activeLayers();
    return layers.reduce((sum, { a, b, scale, dropout, index }, position) => {
      const { dropoutSeed: seed, dropoutRow } = this.#active;
      const isLast = position === layers.length - 1;
      return lowRankAdd(sum, x, a, b, {
        scale,
        dtype: isLast ? dtype : "f32",
        ...(dropout > 0 && seed !== undefined
          ? {
              dropout: dropoutMask(x.device, x.shape, {
                probability: dropout,
                seed,
                stream: index,
                first: dropoutRow * x.shape[1]!,
                rowCapacity: x.rowCapacity,
              }),
            }
          : {}),
      });
    }, base);
  }

  #activeLayers(): LoraLayer[] {
    return this.#active.names.flatMap((name) => this.layers.get(name) ?? []);
  }
}
