import { closeSync, readSync, writeSync } from "node:fs";

/** Most bytes of one call: the operating system refuses 2 GiB and more. */
const MAX_BYTES = 2 ** 30;

/** Closes files that nothing reads from any more. */
const unused = new FinalizationRegistry<number>((descriptor) => closeSync(descriptor));

/** An open file that is read and written at once, without promises, and stays readable when it is removed or replaced. It is closed when nothing holds it any more. */
export class OpenFile {
  readonly descriptor: number;

  constructor(descriptor: number) {
    this.descriptor = descriptor;
    unused.register(this, descriptor);
  }

  /** Bytes [start, end), or fewer where the file ends sooner. */
  read(start: number, end: number): Uint8Array {
    const bytes = new Uint8Array(end - start);
    let done = 0;
    while (done < bytes.byteLength) {
      const count = readSync(this.descriptor, bytes, done, Math.min(bytes.byteLength - done, MAX_BYTES), start + done);
      if (count === 0) break;
      done += count;
    }
    return bytes.subarray(0, done);
  }

  /** Puts all of some bytes from `start` on. */
  write(bytes: Uint8Array, start: number): void {
    for (let done = 0; done < bytes.byteLength;)
      done += writeSync(this.descriptor, bytes, done, Math.min(bytes.byteLength - done, MAX_BYTES), start + done);
  }
}
