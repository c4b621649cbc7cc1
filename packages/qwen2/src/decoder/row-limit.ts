import type { DecoderConfig } from "./config.js";

/** The most tokens that a row may have, and the fields that say so. */
export interface RowLimit {
  tokens: number;
  because: string;
}

/** Rows that a dynamic scaling may reach: its tables are made on the host, and 2^20 positions of them are half a gigabyte at a head of 128. */
const mostDynamicTokens = 2 ** 20;

/**
 * The positions that a model was made for: `max_position_embeddings`, or what its scaling stretches the original length to, if that is more; and its
 * sliding window, within which a layer that has one computes what a layer without would.
 */
export function rowLimit({ maxPositionEmbeddings, ropeScaling: scaling, slidingWindow }: DecoderConfig): RowLimit {
  const limits: RowLimit[] = [{ tokens: maxPositionEmbeddings, because: "max_position_embeddings" }];
  if (scaling?.ropeType === "dynamic") limits.push({ tokens: mostDynamicTokens, because: "rope_type dynamic" });
  else if (scaling && "factor" in scaling) {
    const original = "originalMaxPositionEmbeddings" in scaling ? scaling.originalMaxPositionEmbeddings : maxPositionEmbeddings;
    limits.push({ tokens: Math.floor(original * scaling.factor), because: `original length × factor of rope_type ${scaling.ropeType}` });
  }
  const reached = limits.reduce((a, b) => (b.tokens > a.tokens ? b : a));
  return slidingWindow !== undefined && slidingWindow < reached.tokens
    ? { tokens: slidingWindow, because: "sliding_window of use_sliding_window true; longer rows would need windowed attention" }
    : reached;
}
