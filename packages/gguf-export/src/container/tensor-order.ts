/**
 * The order of tensors in files of llama.cpp's quantiser: those of no layer first, then layer by layer, each by the bytes of its name. A function for `sort`.
 * The types of a mix depend on it.
 */
export function compareTensorNames(a: string, b: string): number {
  return layerOf(a) - layerOf(b) || (a < b ? -1 : a > b ? 1 : 0);
}

/** The number of the layer in `blk.N.…`, −1 without one. */
function layerOf(name: string): number {
  return Number(/^blk\.(\d+)\./.exec(name)?.[1] ?? -1);
}
