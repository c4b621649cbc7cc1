/**
 * The factor s of an adapter: y = base(x) + s · B(A(x)).
 *
 *   s = loraAlpha / r, with rank-stabilised LoRA loraAlpha / √r
 *
 * @see arXiv 2106.09685 (LoRA), 2312.03732 (rsLoRA)
 */
export function loraScale({ r, loraAlpha, useRslora = false }: { r: number; loraAlpha: number; useRslora?: boolean }): number {
  return loraAlpha / (useRslora ? Math.sqrt(r) : r);
}
