import type { Hasher } from "../fingerprint.js";
import type { Spool } from "../bytes/lasting-bytes.js";

/** Browsers unpack brotli in responses only, and decoders in JavaScript know no bound. */
export const unpackBrotli: ((packed: Uint8Array, size: number) => Uint8Array) | undefined = undefined;

/** A page reads no file at once: what is read stays in memory. */
export const openSpool: (() => Spool) | undefined = undefined;

/** Browsers hash only what is there as a whole. Nothing is cached there, so that nobody needs it. */
export const createHasher: (() => Hasher) | undefined = undefined;
