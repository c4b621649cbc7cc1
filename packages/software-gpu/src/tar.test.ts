import { describe, expect, it } from "vitest";
import { readTar } from "./tar.js";

const BLOCK = 512;

/** One file of a ustar archive, header and padding included. */
function tarFile(name: string, content: string, { type = "0", size = content.length, prefix = "" } = {}): Buffer {
  const header = Buffer.alloc(BLOCK);
  header.write(name, 0);
  header.write("0000755\0", 100);
  header.write(`${size.toString(8).padStart(11, "0")}\0`, 124);
  header.write("        ", 148);
  header.write(type, 156);
  header.write("ustar\0", 257);
  header.write(prefix, 345);
  const sum = header.reduce((total, byte) => total + byte, 0);
  header.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  const body = Buffer.alloc(Math.ceil(content.length / BLOCK) * BLOCK);
  body.write(content);
  return Buffer.concat([header, body]);
}

const names = (archive: Uint8Array) => [...readTar(archive)].map((file) => file.name);
const end = Buffer.alloc(2 * BLOCK);

describe("readTar", () => {
  it("gives the regular files in order, with their bytes", () => {
    const long = "x".repeat(700);
    const archive = Buffer.concat([
      tarFile("./a.txt", "hello"),
      tarFile("folder", "", { type: "5" }),
      tarFile("b.txt", long, { prefix: "folder" }),
      end,
    ]);
    const files = [...readTar(archive)].map(({ name, content }) => [name, Buffer.from(content).toString()]);
    expect(files).toEqual([
      ["a.txt", "hello"],
      ["folder/b.txt", long],
    ]);
  });

  it("takes an archive without end blocks, and stops at the first end block", () => {
    expect(names(tarFile("a", ""))).toEqual(["a"]);
    expect(names(Buffer.concat([tarFile("a", ""), end, tarFile("b", "")]))).toEqual(["a"]);
    expect(names(new Uint8Array(0))).toEqual([]);
  });

  it("refuses a file that reaches past the end", () => {
    expect(() => names(tarFile("a", "hello", { size: 5000 }))).toThrow(/"a" is cut short; expected 5000 bytes, got 512/);
  });

  it("refuses a damaged header", () => {
    const flipped = tarFile("a", "hello");
    flipped[0] = 0x62;
    expect(() => names(flipped)).toThrow(/header at byte 0 is damaged; expected checksum \d+, got \d+/);
    const garbage = Buffer.alloc(BLOCK, 0xff);
    expect(() => names(Buffer.concat([tarFile("a", ""), garbage]))).toThrow(/checksum in the header at byte 512 is no octal number/);
  });
});
