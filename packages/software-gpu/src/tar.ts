import { FormatError } from "@kto/core";

/** A regular file of an archive; `content` is a view into the archive's bytes. */
export interface TarFile {
  name: string;
  content: Uint8Array;
}

const BLOCK = 512;
const field = {
  name: [0, 100],
  size: [124, 136],
  checksum: [148, 156],
  type: [156, 157],
  prefix: [345, 500],
} as const;

/**
 * The regular files of a tar archive (ustar), in their order. Directories and links are passed over.
 *
 * @throws FormatError when a header's checksum is wrong or a file reaches past the end of the archive
 */
export function* readTar(archive: Uint8Array): Generator<TarFile> {
  for (let offset = 0; offset + BLOCK <= archive.byteLength;) {
    const header = archive.subarray(offset, offset + BLOCK);
    if (header.every((byte) => byte === 0)) return; // the end is marked by zero blocks
    const sum = octal(header, "checksum", offset);
    if (sum !== checksumOf(header)) {
      throw new FormatError(
        `readTar: header at byte ${offset} is damaged; expected checksum ${sum}, got ${checksumOf(header)}; install the package again`,
      );
    }
    const size = octal(header, "size", offset);
    const start = offset + BLOCK;
    const name = [text(header, "prefix"), text(header, "name")].filter(Boolean).join("/").replace(/^\.\//, "");
    if (start + size > archive.byteLength) {
      throw new FormatError(
        `readTar: "${name}" is cut short; expected ${size} bytes, got ${archive.byteLength - start}; install the package again`,
      );
    }
    const type = text(header, "type");
    if (type === "0" || type === "") yield { name, content: archive.subarray(start, start + size) };
    offset = start + Math.ceil(size / BLOCK) * BLOCK;
  }
}

function text(header: Uint8Array, name: keyof typeof field): string {
  const bytes = header.subarray(...field[name]);
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

function octal(header: Uint8Array, name: "size" | "checksum", offset: number): number {
  const digits = text(header, name).trim();
  if (!/^[0-7]{1,12}$/.test(digits)) {
    throw new FormatError(
      `readTar: ${name} in the header at byte ${offset} is no octal number; got "${digits}"; install the package again`,
    );
  }
  return Number.parseInt(digits, 8);
}

/** Sum of all bytes of the header, with the checksum field itself read as spaces. */
function checksumOf(header: Uint8Array): number {
  const [from, to] = field.checksum;
  return header.reduce((sum, byte, i) => sum + (i >= from && i < to ? 0x20 : byte), 0);
}
