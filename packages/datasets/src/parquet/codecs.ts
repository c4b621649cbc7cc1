import { unpackBrotli } from "#platform";
import { shorten } from "@kto/core";
import type { Gunzip as GunzipStream } from "fflate";
import { unreadable } from "./damage.js";
import { unpackLz4, unpackLz4Frames } from "./lz4.js";

/** Unpacks the bytes of a page into exactly `size` bytes. What it is given may be damaged: it never writes or counts far past `size`. */
export type Unpack = (packed: Uint8Array, size: number) => Uint8Array;

/** Codecs by their numbers in the footer. */
const NAMES = ["none", "snappy", "gzip", "lzo", "brotli", "lz4 (Hadoop)", "zstd", "lz4"];

/** Bytes given to the decoder of gzip at a time: it makes a thousand of one at most, so that what is too much is seen early. */
const GZIP_STEP = 4096;

/** The decoders that were loaded: each keeps the memory of the largest page it has seen, so that there is one for all files. */
const loaded = new Map<number, Promise<Unpack | undefined>>();

/** The function that unpacks pages of a codec; decoders are loaded when the first file needs them. Throws `FormatError` for one that is not read here. */
export async function unpackerOf(codec: number, name: string, column: string): Promise<Unpack> {
  if (!loaded.has(codec)) loaded.set(codec, loadUnpacker(codec));
  const unpack = await loaded.get(codec);
  if (unpack === undefined) {
    const readable = `snappy, gzip, zstd, lz4${unpackBrotli ? ", brotli" : ""} or none`;
    const got = `${NAMES[codec] ?? `codec ${codec}`} in column ${shorten(column)}`;
    throw unreadable(name, `pages compressed with ${readable}`, got, 'write it with compression="zstd"');
  }
  return (packed, size) => {
    const bytes = unpack(packed, size);
    if (bytes.length !== size) throw new Error(`a page unpacks to ${bytes.length} bytes, where ${size} are expected`);
    return bytes;
  };
}

async function loadUnpacker(codec: number): Promise<Unpack | undefined> {
  switch (NAMES[codec]) {
    case "none":
      return (packed) => packed;
    case "snappy": {
      const unpack = (await import("hysnappy")).snappyUncompressor();
      return (packed, size) => {
        if (snappyLength(packed) !== size) throw new Error(`a page says that it unpacks to other than ${size} bytes`);
        return unpack(packed, size);
      };
    }
    case "gzip": {
      const { Gunzip } = await import("fflate");
      return (packed, size) => unpackGzip(packed, size, Gunzip);
    }
    case "brotli":
      return unpackBrotli;
    case "zstd": {
      const decoder = new (await import("zstddec")).ZSTDDecoder();
      await decoder.init();
      return (packed, size) => (size === 0 ? new Uint8Array() : decoder.decode(packed, size));
    }
    case "lz4":
      return unpackLz4;
    case "lz4 (Hadoop)":
      return unpackLz4Frames;
  }
  return undefined;
}

/** The size that packed bytes of snappy begin with; undefined where they do not. */
function snappyLength(packed: Uint8Array): number | undefined {
  let length = 0;
  for (let index = 0; index < 5 && index < packed.length; index++) {
    length += (packed[index]! & 127) * 2 ** (7 * index);
    if (packed[index]! < 128) return length;
  }
  return undefined;
}

function unpackGzip(packed: Uint8Array, size: number, Gunzip: typeof GunzipStream): Uint8Array {
  const bytes = new Uint8Array(size);
  let filled = 0;
  const stream = new Gunzip((piece) => {
    if (filled + piece.length > size) throw new Error(`a page unpacks to more than the ${size} bytes that it says`);
    bytes.set(piece, filled);
    filled += piece.length;
  });
  for (let start = 0; start < packed.length; start += GZIP_STEP) {
    const end = Math.min(start + GZIP_STEP, packed.length);
    stream.push(packed.slice(start, end), end === packed.length);
  }
  return bytes.subarray(0, filled);
}
