import { type ByteSource, readExactly } from "./byte-source.js";
import { FormatError } from "./errors.js";
import { type TensorInfo, parseHeader } from "./header.js";
import { MAX_HEADER_BYTES } from "./limits.js";
import { type TensorReader, makeReader } from "./tensor-reader.js";

/** An open safetensors file. */
export type SafetensorsFile = TensorReader<TensorInfo>;

const GIT_LFS = "version ";

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
  if (new TextDecoder().decode(prefix) === GIT_LFS)
    fail("this is a Git LFS pointer, not the weights; expected a safetensors header; fetch the file with `git lfs pull`");
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
