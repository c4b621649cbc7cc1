/** The character that stands for each byte in a byte-level vocabulary (GPT-2's alphabet): itself where printable, else from U+0100 on. */
const BYTE_OF: ReadonlyMap<string, number> = byteAlphabet();
const encoder = new TextEncoder();

function byteAlphabet(): Map<string, number> {
  const isPrintable = (byte: number): boolean => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
  const alphabet = new Map<string, number>();
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) alphabet.set(String.fromCharCode(isPrintable(byte) ? byte : next++), byte);
  return alphabet;
}

/** The bytes of a token: one per character where all are of the alphabet, else the token's own UTF-8, as added tokens are kept. */
export function tokenBytes(token: string): Uint8Array {
  const bytes = new Uint8Array(token.length);
  for (let index = 0; index < token.length; index++) {
    const byte = BYTE_OF.get(token[index]!);
    if (byte === undefined) return encoder.encode(token);
    bytes[index] = byte;
  }
  return bytes;
}

/** The text of byte-level tokens; broken UTF-8 shows as U+FFFD, as in Rust's `from_utf8_lossy`. */
export function decodeByteLevel(tokens: readonly string[]): string {
  const parts = tokens.map(tokenBytes);
  const bytes = new Uint8Array(parts.reduce((total, part) => total + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
}
