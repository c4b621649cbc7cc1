import { createHash } from "node:crypto";
import { open, readFile, stat } from "node:fs/promises";
import { HubError } from "../errors.js";
import { once } from "../once.js";
import type { Comparable, UploadMode } from "./compare.js";
import type { FolderFile } from "./folder-files.js";
import { readStart } from "./read-start.js";

const CHUNK = 256 * 1024;

/** A file on its way to the hub, from the disk or made for the push. */
export interface Content extends Comparable {
  /** Hexadecimal; read once. */
  sha256(): Promise<string>;
  /** All of it; of files that are part of the commit, which are small. */
  bytes(): Promise<Uint8Array>;
  /** Bytes `from` to `to` as a body that is read piece by piece; `onBytes` is told of each piece. */
  body(from: number, to: number, onBytes: (count: number) => void): Blob;
  /** Throws HubError when the file is no longer what it was when the push began. */
  expectUnchanged(): Promise<void>;
}

/** A file of the disk; `onHashed` is told of each piece that was read for its sha256. */
export function fileContent(file: FolderFile, signal: AbortSignal | undefined, onHashed?: (count: number) => void): Content {
  const { path, source, size, mtimeMs } = file;
  const pieces = (from: number, to: number): AsyncGenerator<Uint8Array> => readPieces(source, from, to, signal);
  const bytes = async (): Promise<Uint8Array> => readFile(source);
  return withDigests({
    path,
    size,
    sample: async () => readStart(source, 512),
    bytes,
    pieces,
    onHashed,
    async expectUnchanged() {
      const now = await stat(source).catch(() => undefined);
      if (now?.size === size && now.mtimeMs === mtimeMs) return;
      throw new HubError(
        `push: ${source} changed while it was pushed; expected the ${size} bytes there were, got ${now ? `${now.size}, written since` : "no file"}; push again when nothing writes to it`,
        { reason: "fileName", file: source },
      );
    },
  });
}

/** Bytes in memory. */
export function madeContent(path: string, made: string | Uint8Array): Content {
  const bytes = typeof made === "string" ? new TextEncoder().encode(made) : made;
  return withDigests({
    path,
    size: bytes.byteLength,
    sample: async () => bytes.subarray(0, 512),
    bytes: async () => bytes,
    async *pieces(from, to) {
      yield bytes.subarray(from, to);
    },
    expectUnchanged: async () => undefined,
  });
}

interface Source extends Pick<Content, "path" | "size" | "sample" | "bytes" | "expectUnchanged"> {
  pieces(from: number, to: number): AsyncGenerator<Uint8Array>;
  onHashed?: ((count: number) => void) | undefined;
}

function withDigests(source: Source): Content {
  const { size, bytes, pieces, onHashed } = source;
  const sha256 = once(async () => {
    const hash = createHash("sha256");
    for await (const piece of pieces(0, size)) {
      hash.update(piece);
      onHashed?.(piece.byteLength);
    }
    return hash.digest("hex");
  });
  const gitId = once(async () =>
    createHash("sha1")
      .update(`blob ${size}\0`)
      .update(await bytes())
      .digest("hex"),
  );
  return {
    ...source,
    sha256,
    oids: async (mode: UploadMode) => [mode === "lfs" ? await sha256() : await gitId()],
    body: (from, to, onBytes) => new PiecesBlob(to - from, () => counted(pieces(from, to), onBytes)),
  };
}

/** A body whose bytes are read when they are sent: `fetch` takes its length from `size` and the rest from `stream`. */
class PiecesBlob extends Blob {
  readonly #size: number;
  readonly #pieces: () => AsyncGenerator<Uint8Array>;

  constructor(size: number, pieces: () => AsyncGenerator<Uint8Array>) {
    super();
    this.#size = size;
    this.#pieces = pieces;
  }

  override get size(): number {
    return this.#size;
  }

  override stream(): ReturnType<Blob["stream"]> {
    const pieces = this.#pieces();
    return new ReadableStream<Uint8Array>(
      {
        async pull(controller) {
          const { done, value } = await pieces.next();
          if (done) controller.close();
          else controller.enqueue(value);
        },
        async cancel() {
          await pieces.return(undefined);
        },
      },
      { highWaterMark: 0 },
    ) as ReturnType<Blob["stream"]>;
  }

  override async arrayBuffer(): Promise<ArrayBuffer> {
    const bytes = new Uint8Array(this.#size);
    let at = 0;
    for await (const piece of this.#pieces()) {
      bytes.set(piece, at);
      at += piece.byteLength;
    }
    return bytes.buffer;
  }
}

async function* counted(pieces: AsyncGenerator<Uint8Array>, onBytes: (count: number) => void): AsyncGenerator<Uint8Array> {
  for await (const piece of pieces) {
    onBytes(piece.byteLength);
    yield piece;
  }
}

async function* readPieces(source: string, from: number, to: number, signal: AbortSignal | undefined): AsyncGenerator<Uint8Array> {
  await using file = await open(source);
  for (let at = from; at < to;) {
    signal?.throwIfAborted();
    const bytes = new Uint8Array(Math.min(CHUNK, to - at));
    const { bytesRead } = await file.read(bytes, 0, bytes.byteLength, at);
    if (bytesRead === 0) return; // it was cut meanwhile, which expectUnchanged says
    at += bytesRead;
    yield bytes.subarray(0, bytesRead);
  }
}
