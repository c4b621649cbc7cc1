import { createHash, randomUUID } from "node:crypto";
import { openSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { brotliDecompressSync } from "node:zlib";
import { OpenFile } from "@kto/core/node";
import { DescriptorBytes } from "../bytes/descriptor-bytes.js";
import type { Spool } from "../bytes/lasting-bytes.js";
import type { Hasher } from "../fingerprint.js";

/** Bytes that brotli packed, at most `size` of them. */
export const unpackBrotli: ((packed: Uint8Array, size: number) => Uint8Array) | undefined = (packed, size) =>
  brotliDecompressSync(packed, { maxOutputLength: Math.max(1, size) });

/** A file in the system's folder for temporary ones, without a name as soon as it is open: it goes with the process, however that ends. */
export const openSpool: (() => Spool) | undefined = () => {
  const path = join(tmpdir(), `kto-rows-${randomUUID()}`);
  const file = new OpenFile(openSync(path, "wx+"));
  try {
    rmSync(path);
  } catch {
    process.once("exit", () => rmSync(path, { force: true })); // a system that removes no open file
  }
  const bytes = new DescriptorBytes(file, path);
  let length = 0;
  return {
    append(added) {
      file.write(added, length);
      const place = length;
      length += added.byteLength;
      return place;
    },
    read: (start, end) => bytes.read(start, end),
  };
};

/** SHA-256, piece by piece. */
export const createHasher: (() => Hasher) | undefined = () => {
  const hash = createHash("sha256");
  return {
    update: (data) => void hash.update(data),
    digest: () => hash.digest("hex"),
  };
};
