import { type ByteSource, readExactly, FormatError } from "@kto/core";
import { type TensorInfo, parseHeader } from "./header.js";
import { MAX_HEADER_BYTES } from "./limits.js";
import { type TensorReader, makeReader } from "./tensor-reader.js";

/** An open safetensors file. */
export type SafetensorsFile = TensorReader<TensorInfo>;

/** What else a file of weights may be, by how it begins. */
const otherFormats: readonly [start: readonly number[], message: string][] = [
  [
    [...new TextEncoder().encode("version ")],
    "this is a Git LFS pointer, not the weights; expected a safetensors header; fetch the file with `git lfs pull`",
  ],
  [
    [...new TextEncoder().encode("<!DOCTYP")],
    "this is a page of HTML, as a site shows it for a file that it does not give; expected a safetensors header; download the file itself",
  ],
  [
    [...new TextEncoder().encode("GGUF")],
    "this is a GGUF file, which only runtimes read; expected a safetensors header; take the model's safetensors files",
  ],
  [[0x50, 0x4b, 0x03, 0x04], pickle()],
  [[0x80, 0x02], pickle()],
];

function pickle(): string {
  return "these are pickled weights, which run code when they are opened; expected a safetensors header; save the model as safetensors";
}

/**
 * Reads and checks the header of a safetensors file; tensors are read when asked for. The caller keeps owning `source` until this resolves;
 * then `dispose()` of the file disposes it.
 *
 * @throws FormatError when the bytes are not a well-formed safetensors file: what was expected, what was found, and which tensor
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  const { byteLength, name } = source;
  const fail = (what: string): never => {
    throw new FormatError(`openSafetensors: ${name ? `${name}: ` : ""}${what}`, { source: name });
  };

  if (byteLength < 8) fail(`too short for the header length; expected at least 8 bytes, got ${byteLength}; the file is empty or truncated`);
  const prefix = await readExactly(source, 0, 8);
  const other = otherFormats.find(([start]) => start.every((byte, index) => prefix[index] === byte));
  // A header of just that length is possible, and begins with a brace.
  if (other && !(byteLength > 8 && (await readExactly(source, 8, 9))[0] === 0x7b)) fail(other[1]);
  const length = new DataView(prefix.buffer, prefix.byteOffset).getBigUint64(0, true);
  const available = byteLength - 8;
  if (length > BigInt(available))
    fail(
      `header length is beyond the end of the file; expected at most ${available}, got ${length}; the file is truncated or no safetensors file`,
    );
  if (length > BigInt(MAX_HEADER_BYTES)) fail(`header is too long; expected at most ${MAX_HEADER_BYTES} bytes, got ${length}`);

  const headerBytes = await readExactly(source, 8, 8 + Number(length));
  const { tensors, metadata } = parseHeader(headerBytes, available - headerBytes.byteLength, name);
  return makeReader(name ?? "the file", { tensors, metadata, sourceOf: () => source, sources: [source] });
}
