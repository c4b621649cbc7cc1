import type { RopeScaling } from "./rope-scaling.js";

/** A decoder's shape and constants, whatever its family. */
export interface DecoderConfig {
  modelType: string;
  vocabSize: number;
  hiddenSize: number;
  intermediateSize: number;
  numHiddenLayers: number;
  numAttentionHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  rmsNormEps: number;
  ropeTheta: number;
  /** How rotary positions are stretched; undefined where they are not. */
  ropeScaling?: RopeScaling | undefined;
  maxPositionEmbeddings: number;
  /** Tokens that some layer looks back at most; undefined where all layers see all. Rows are kept within it, where it makes no difference. */
  slidingWindow?: number | undefined;
  /** Head and embedding are one matrix. Of a loaded model what its files say: one that brings a head of its own is not tied, whatever its config.json says. */
  tieWordEmbeddings: boolean;
  /** Only a fallback for a tokenizer that names none: `config.json` is known to be wrong here. */
  eosTokenId: number | undefined;
}
