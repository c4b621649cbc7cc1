import { wgsl } from "../wgsl.js";

/** The shape an attention kernel is specialised on. `vector` divides headDim. */
export interface AttentionShape {
  [field: string]: string | number | boolean;
  numHeads: number;
  numKeyValueHeads: number;
  headDim: number;
  vector: "vec4" | "vec2";
}

/** One line per vector of a head, joined. */
export function perVector({ headDim, vector }: AttentionShape, line: (index: number) => string): string {
  return Array.from({ length: headDim / (vector === "vec4" ? 4 : 2) }, (_, index) => line(index)).join("\n");
}

/** Constants and row addresses, in vectors: `queryRow(token, head)` in q, out and their gradients, `keyRow(token, head)` in k, v and theirs. */
export function attentionAddresses({ headDim, vector }: AttentionShape): string {
  return wgsl`
    alias Vector = ${vector}<f32>;
    const VECTORS = ${headDim / (vector === "vec4" ? 4 : 2)}u;
    const GROUP = NUM_HEADS / NUM_KEY_VALUE_HEADS;
    const SCALE = ${1 / Math.sqrt(headDim)};

    fn queryRow(token: u32, head: u32) -> u32 { return (token * NUM_HEADS + head) * VECTORS; }
    fn keyRow(token: u32, head: u32) -> u32 { return (token * NUM_KEY_VALUE_HEADS + head) * VECTORS; }`;
}
