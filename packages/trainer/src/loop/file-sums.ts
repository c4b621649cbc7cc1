import { readExactly, type ByteDirectory, type ByteSource } from "@kto/core";

/** Bytes of a file that are summed at once: an adapter's state may be larger than what can be digested in one piece, or held twice. */
const pieceBytes = 2 ** 26;

/** What a file was when it was written: its length, and SHA-256 of each 64 MiB of it, in hex. Of a smaller file that is what `sha256sum` prints. */
export interface FileSum {
  readonly bytes: number;
  readonly sha256: readonly string[];
}

/** False where there is nothing to sum with, as in a page that is no secure context. */
export function canSum(): boolean {
  return globalThis.crypto?.subtle !== undefined;
}

/** The sums of some files of a folder. Throws as opening and reading do. */
export async function sumFiles(folder: ByteDirectory, names: readonly string[]): Promise<Record<string, FileSum>> {
  const sums: Record<string, FileSum> = {};
  for (const name of names) {
    const source = await folder.open(name);
    if (!source) continue;
    try {
      sums[name] = await sumOf(source);
    } finally {
      await source.dispose?.();
    }
  }
  return sums;
}

/** What is wrong with a file that was of this sum; undefined if nothing is. */
export async function sumProblem(source: ByteSource, { bytes, sha256 }: FileSum): Promise<string | undefined> {
  if (source.byteLength !== bytes) return `expected the ${bytes} bytes that were written, got ${source.byteLength}`;
  if (!canSum()) return undefined;
  const now = await sumOf(source);
  return now.sha256.join() === sha256.join() ? undefined : "its bytes are not those that were written: their SHA-256 differs";
}

/** SHA-256 of a text, in hex. */
export async function textSum(text: string): Promise<string> {
  return digest(new TextEncoder().encode(text));
}

async function sumOf(source: ByteSource): Promise<FileSum> {
  const sha256: string[] = [];
  for (let start = 0; start === 0 || start < source.byteLength; start += pieceBytes)
    sha256.push(await digest(await readExactly(source, start, Math.min(start + pieceBytes, source.byteLength))));
  return { bytes: source.byteLength, sha256 };
}

/** SHA-256 of some bytes, in hex. */
export async function digest(bytes: Uint8Array): Promise<string> {
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes as Uint8Array<ArrayBuffer>));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
