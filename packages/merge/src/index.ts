export type { AdapterToMerge } from "./adapters.js";
export type { ModelOnDisk } from "./base-weights.js";
export { mergedWeights, type MergedWeights, type MergeOptions } from "./merged-weights.js";
export type { QuantizationLoss } from "./quantize-merged.js";
export { type MergedModel, type MergeProgress, writeMerged, type WriteMergedOptions } from "./write-merged.js";
