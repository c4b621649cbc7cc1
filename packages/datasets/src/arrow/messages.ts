import type { ByteSource } from "@kto/core";
import { readBytes } from "../source.js";
import { type Fail, FlatTable } from "./flatbuffer.js";
import { CONTINUES, isArrowFile } from "./magic.js";

/** A message of an Arrow stream: what it is, and the bytes that belong to it. */
export interface ArrowMessage {
  readonly kind: number;
  readonly header: FlatTable;
  /** Where its body lies in the file. */
  readonly bodyStart: number;
  readonly bodyEnd: number;
}

/** Kinds of message. */
export const MESSAGE = { schema: 1, dictionary: 2, batch: 3 } as const;

/** Metadata of a batch takes 16 bytes for each buffer; a table of ten thousand columns stays far below this. */
const MAX_METADATA_BYTES = 16 * 2 ** 20;

/** The messages of an Arrow stream, or of a file, which is a stream behind a mark and before a table of contents. */
export async function* arrowMessages(source: ByteSource, name: string, fail: Fail): AsyncGenerator<ArrowMessage> {
  const { byteLength } = source;
  const magic = await readBytes(source, 0, Math.min(8, byteLength), name);
  let offset = isArrowFile(magic) ? 8 : 0;
  while (offset + 4 <= byteLength) {
    const prefix = await readBytes(source, offset, Math.min(offset + 8, byteLength), name);
    const view = new DataView(prefix.buffer, prefix.byteOffset, prefix.byteLength);
    const continues = view.getUint32(0, true) === CONTINUES && prefix.length === 8;
    const length = continues ? view.getInt32(4, true) : view.getInt32(0, true); // streams before Arrow 0.15 have no mark
    if (length === 0) return;
    const start = offset + (continues ? 8 : 4);
    if (length < 8 || length > Math.min(byteLength - start, MAX_METADATA_BYTES)) {
      fail(`metadata of ${length} bytes is expected at byte ${start}, in a file of ${byteLength}`);
    }
    const message = FlatTable.root(await readBytes(source, start, start + length, name), fail);
    const bodyStart = start + length;
    const bodyEnd = bodyStart + message.count(3);
    if (bodyEnd > byteLength) fail(`a batch ends at byte ${bodyEnd}, in a file of ${byteLength}`);
    const header = message.table(2) ?? fail(`the message at byte ${start} has no content`);
    yield { kind: message.uint8(1, 0), header, bodyStart, bodyEnd };
    offset = bodyEnd;
  }
  if (offset < byteLength) fail(`it ends with ${byteLength - offset} bytes that are no message`);
}
