/** Browsers unpack brotli in responses only, and decoders in JavaScript know no bound. */
export const unpackBrotli: ((packed: Uint8Array, size: number) => Uint8Array) | undefined = undefined;
