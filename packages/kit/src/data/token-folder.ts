import { createHash, randomUUID, type Hash } from "node:crypto";
import { fsyncSync, fstatSync, openSync, renameSync, rmSync } from "node:fs";
import { mkdir, readdir, rm } from "node:fs/promises";
import { homedir, hostname } from "node:os";
import { join, resolve } from "node:path";
import { expandHome, SourceError, WriteError } from "@kto/core";
import { OpenFile } from "@kto/core/node";
import type { RowIndexStore } from "@kto/datasets";
import type { KeyPart, StoredTokens, TokenCache, TokenWriter } from "@kto/trainer";
import { processRuns } from "../output/process-runs.js";

/** What a whole entry ends with, behind the lengths of its three parts and before their SHA-256. */
const MARK = "kto tok1";
const TRAILER_BYTES = 3 * 8 + MARK.length + 32;
const PIECE_BYTES = 2 ** 22;

/** The folder of tokenised rows: `$KTO_CACHE/tokens`, `$XDG_CACHE_HOME/kto/tokens`, `~/.cache/kto/tokens`. Whatever lies in it may be removed at any time. */
export function tokenCacheFolder(env: Readonly<Record<string, string | undefined>> = process.env): string {
  const home = env["HOME"] || homedir();
  const own = env["KTO_CACHE"] || join(env["XDG_CACHE_HOME"] || join(home, ".cache"), "kto");
  return join(resolve(expandHome(own, home)), "tokens");
}

/**
 * A folder as a cache of tokenised rows, a file for each entry, named by the SHA-256 of its key. An entry is written beside its place and renamed when it is
 * whole, and read through once before it is used: one that is damaged or cut off is removed and counts as none. Processes that make the same entry write the
 * same bytes; what one that was killed left behind is removed by the next.
 *
 * @param onNote  is told, in a sentence, where the folder cannot be written to; then nothing is cached
 */
export function tokenFolder(folder: string, options: FolderOptions = {}): TokenCache {
  return entryFolder(folder, "tokens", options);
}

/** The same folder as a cache of where the rows of large files begin, `rowIndex` of `loadDataset`: what is kept of a file is found while it has the same contents. */
export function rowIndexFolder(folder: string, options: FolderOptions = {}): RowIndexStore {
  return entryFolder(folder, "rows", options);
}

/** The same folder as a cache of what a reference says of rows, `referenceCache` of a trainer. */
export function referenceFolder(folder: string, options: FolderOptions = {}): TokenCache {
  return entryFolder(folder, "reference", options);
}

/** Options of the folder of a cache. */
export interface FolderOptions {
  onNote?: ((note: string) => void) | undefined;
}

function entryFolder(folder: string, extension: "tokens" | "rows" | "reference", { onNote }: FolderOptions): TokenCache {
  const pathOf = (key: readonly KeyPart[]): string => join(folder, `${digest(key)}.${extension}`);
  return {
    async open(key, signal) {
      const path = pathOf(key);
      const file = openedFile(path);
      if (!file) return undefined;
      const entry = await checkedEntry(file, path, signal);
      if (entry) return entry;
      rmSync(path, { force: true });
      return undefined;
    },
    async create(key) {
      const path = pathOf(key);
      try {
        await mkdir(folder, { recursive: true });
        await removeLeftOvers(folder);
        return new EntryWriter(path);
      } catch (error) {
        const { code, syscall } = error as NodeJS.ErrnoException;
        if (syscall === undefined) throw error;
        onNote?.(
          `${extension === "reference" ? "log-probabilities of the reference" : "tokens"} are not cached: ${folder} cannot be written to (${code}); KTO_CACHE names another folder`,
        );
        return undefined;
      }
    },
  };
}

function digest(key: readonly KeyPart[]): string {
  const hash = createHash("sha256");
  for (const part of key) {
    const bytes = typeof part === "string" ? Buffer.from(part) : part;
    hash.update(`${bytes.byteLength} `).update(bytes);
  }
  return hash.digest("hex");
}

/** Temporary files say who writes them: those of processes of this machine that are gone are removed. */
async function removeLeftOvers(folder: string): Promise<void> {
  for (const name of await readdir(folder)) if (isLeftOver(name)) await rm(join(folder, name), { force: true });
}

/** True for the name of a temporary file that nobody writes any more. */
export function isLeftOver(name: string): boolean {
  const [, host, pid] = /^\w+\.([^/]*)\.(\d+)\.[-\w]+\.tmp$/.exec(name) ?? [];
  return pid !== undefined && host === hostname() && !processRuns(Number(pid));
}

/** Bytes [start, end) of a file of the cache. */
function readFrom(file: OpenFile, start: number, end: number): Uint8Array {
  const bytes = file.read(start, end);
  if (bytes.byteLength === end - start) return bytes;
  throw new SourceError("tokens: a file of the cache became shorter while it was used; expected it to stay as it is; start again", {});
}

function openedFile(path: string): OpenFile | undefined {
  try {
    return new OpenFile(openSync(path, "r"));
  } catch {
    return undefined; // none, or not for us to read
  }
}

/** The entry in a file; undefined where its sum or its form is another. */
async function checkedEntry(file: OpenFile, path: string, signal: AbortSignal | undefined): Promise<StoredTokens | undefined> {
  const { size } = fstatSync(file.descriptor);
  if (size < TRAILER_BYTES) return undefined;
  const hash = createHash("sha256");
  const end = size - 32;
  for (let start = 0; start < end; start += PIECE_BYTES) {
    hash.update(readFrom(file, start, Math.min(start + PIECE_BYTES, end)));
    await new Promise((resume) => setImmediate(resume));
    signal?.throwIfAborted();
  }
  if (!hash.digest().equals(readFrom(file, end, size))) return undefined;
  const trailer = readFrom(file, size - TRAILER_BYTES, end);
  const [idBytes, indexBytes, factBytes] = new Float64Array(trailer.slice(0, 24).buffer) as unknown as [number, number, number];
  const isEntry = Buffer.from(trailer.subarray(24)).toString() === MARK && idBytes + indexBytes + factBytes + TRAILER_BYTES === size;
  if (!isEntry) return undefined;
  const indexEnd = idBytes + indexBytes;
  return {
    read: (start, end) => readFrom(file, start, end),
    index: readFrom(file, idBytes, indexEnd),
    facts: Buffer.from(readFrom(file, indexEnd, indexEnd + factBytes)).toString(),
    place: path,
    byteLength: size,
  };
}

/** An entry in the making. */
class EntryWriter implements TokenWriter {
  readonly #path: string;
  readonly #temporary: string;
  readonly #file: OpenFile;
  readonly #hash: Hash = createHash("sha256");
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #written = 0;

  constructor(path: string) {
    this.#path = path;
    this.#temporary = `${path.replace(/\.\w+$/, "")}.${hostname()}.${process.pid}.${randomUUID().slice(0, 8)}.tmp`;
    this.#file = new OpenFile(openSync(this.#temporary, "wx+"));
  }

  append(bytes: Uint8Array): void {
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    if (this.#waitingBytes >= PIECE_BYTES) this.#flush();
  }

  read(start: number, end: number): Uint8Array {
    this.#flush();
    return readFrom(this.#file, start, end);
  }

  async finish(index: Uint8Array, facts: string): Promise<StoredTokens> {
    this.#flush();
    const idBytes = this.#written;
    const text = new TextEncoder().encode(facts);
    this.append(index);
    this.append(text);
    this.append(new Uint8Array(new Float64Array([idBytes, index.byteLength, text.byteLength]).buffer));
    this.append(new TextEncoder().encode(MARK));
    this.#flush();
    this.append(this.#hash.copy().digest());
    this.#flush();
    this.#orFull(() => fsyncSync(this.#file.descriptor));
    renameSync(this.#temporary, this.#path);
    const file = this.#file;
    return { read: (start, end) => readFrom(file, start, end), index, facts, place: this.#path, byteLength: this.#written };
  }

  discard(): void {
    rmSync(this.#temporary, { force: true });
  }

  #flush(): void {
    if (this.#waitingBytes === 0) return;
    const bytes = Buffer.concat(this.#waiting, this.#waitingBytes);
    this.#waiting = [];
    this.#waitingBytes = 0;
    this.#hash.update(bytes);
    this.#orFull(() => this.#file.write(bytes, this.#written));
    this.#written += bytes.byteLength;
  }

  #orFull(write: () => void): void {
    try {
      write();
    } catch (cause) {
      const { code } = cause as NodeJS.ErrnoException;
      throw new WriteError(
        {
          operation: "tokens",
          problem: `${this.#path} was not written`,
          expected: "room for the tokenised rows",
          got: code === "ENOSPC" || code === "EDQUOT" ? `${code}: the disk is full` : String(code),
          advice: "free some space, name another folder with KTO_CACHE, or do without: {tokenCache}: false",
          fields: ["tokenCache"],
        },
        { path: this.#path, ...(code !== undefined && { reason: code }), cause },
      );
    }
  }
}
