import type { Qwen2Config } from "@kto/qwen2";
import { shape1b5, shape7b } from "@kto/bench";

export interface Shape {
  config: Qwen2Config;
  /** Blocks left in 16 bits, as published *dynamic* checkpoints leave some. */
  blocksIn16Bits: string[];
}

/**
 * The shapes by name. The 1.5B one leaves three `mlp` and two `self_attn` blocks in 16 bits, which gives the 1.81 GB of the published file (whose own
 * list is not known); the 7B one leaves none, as plain four-bit checkpoints do.
 */
export const shapes = {
  "1.5b": {
    config: shape1b5,
    blocksIn16Bits: ["layers.1.mlp", "layers.2.mlp", "layers.26.mlp", "layers.0.self_attn", "layers.27.self_attn"].map(
      (block) => `model.${block}`,
    ),
  },
  "7b": { config: shape7b, blocksIn16Bits: [] },
} satisfies Record<string, Shape>;

/** A shape with some sizes replaced; those that are undefined stay. */
export function resized({ config, blocksIn16Bits }: Shape, sizes: { [Size in keyof Qwen2Config]?: number | undefined }): Shape {
  const given = Object.fromEntries(Object.entries(sizes).filter(([, value]) => value !== undefined));
  const merged: Qwen2Config = { ...config, ...given };
  return { config: { ...merged, headDim: merged.hiddenSize / merged.numAttentionHeads }, blocksIn16Bits };
}
