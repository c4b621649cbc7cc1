import type { Tensor } from "../tensor.js";

/** What stands in for an embedding's matrix: that of an adapter that brought one of its own. */
export interface EmbeddingReplacement {
  /** [vocabSize, hiddenSize] in the dtype of the matrix; undefined while the model's own is to be used. */
  readonly weight: Tensor | undefined;
}

/** The matrix that looks tokens up, or the one that scores them. In a tied model two of these hold one matrix. Owns nothing: the model owns the matrix. */
export class EmbeddingModule {
  replacement: EmbeddingReplacement | undefined = undefined;
  readonly #own: () => Tensor;
  readonly #take: (weight: Tensor) => void;

  /** @param take  makes a matrix the model's own in place of the one it has, which the model frees */
  constructor(own: () => Tensor, take: (weight: Tensor) => void) {
    this.#own = own;
    this.#take = take;
  }

  /** [vocabSize, hiddenSize], the model's own. */
  get own(): Tensor {
    return this.#own();
  }

  /** [vocabSize, hiddenSize], what is computed with now. */
  get weight(): Tensor {
    return this.replacement?.weight ?? this.own;
  }

  /** Puts a matrix in the place of the model's own for good; it belongs to the model then. */
  take(weight: Tensor): void {
    this.#take(weight);
  }
}

/** True of an embedding or head, also of one from another copy of this package. */
export function isEmbeddingModule(module: unknown): module is EmbeddingModule {
  return typeof module === "object" && module !== null && "own" in module && "replacement" in module && "take" in module;
}
