/** Most bytes before the data: keys, values and descriptions of tensors. The largest vocabularies, with merges, take some 20 MB. */
export const MAX_HEADER_BYTES: number = 128 * 2 ** 20;

/** Longest string, in bytes. Chat templates have tens of thousands; readers of other projects stop at ten million. */
export const MAX_STRING_BYTES: number = 10_000_000;

/** Most elements of an array: sixteen times the largest vocabulary, so that a short file cannot claim gigabytes of empty strings. */
export const MAX_ARRAY_LENGTH: number = 2 ** 22;

/** Most keys. Published files have fewer than a hundred. */
export const MAX_KEYS: number = 2 ** 16;

/** Most tensors in one file. The largest published models have under 3,000. */
export const MAX_TENSORS: number = 2 ** 16;

/** Longest name of a tensor, in bytes: llama.cpp's buffer has 64 with the zero at the end. */
export const MAX_NAME_BYTES: number = 63;

/** Most dimensions of a tensor: llama.cpp's bound. */
export const MAX_RANK: number = 4;

/** Where tensors are aligned to, unless `general.alignment` says otherwise. */
export const DEFAULT_ALIGNMENT: number = 32;

/** Largest alignment: a page of memory on any machine; more only makes padding. */
export const MAX_ALIGNMENT: number = 2 ** 16;
