/** Longest header read, in bytes: the bound of the reference implementation, so a file it opens is not refused here. */
export const MAX_HEADER_BYTES: number = 100_000_000;

/** Most tensors in one file. The largest published mixture-of-experts models have about 150,000 in all, over some sixty files. */
export const MAX_TENSORS: number = 2 ** 18;

/** Most JSON values in a header or index: sixteen for each of `MAX_TENSORS`, so hostile JSON cannot take gigabytes of heap. */
export const MAX_JSON_VALUES: number = 16 * MAX_TENSORS;

/** Deepest JSON nesting. A header needs three levels, an index two; a bound keeps the recursion off the end of the stack. */
export const MAX_JSON_DEPTH: number = 16;

/** Most dimensions of a tensor: numpy's bound. */
export const MAX_RANK: number = 64;

/** Most files of one checkpoint: each holds a file descriptor, and 1,024 is the usual limit of a process. The largest published models have under 200. */
export const MAX_SHARDS: number = 1000;

/** Default chunk of `stream`: large enough that a disk or server runs at full speed, small beside any model. */
export const DEFAULT_CHUNK_BYTES: number = 16 * 2 ** 20;
