export type { AdapterToMerge } from "./adapters.js";
export type { ModelOnDisk } from "./base-weights.js";
export { mergedWeights, type MergedWeights, type MergeOptions } from "./merged-weights.js";
