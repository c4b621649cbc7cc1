/** What a file of messages begins with, padded to eight bytes; a stream begins with its first message. */
const FILE_MAGIC = "ARROW1";

/** What each message of a stream begins with, before the length of its metadata. */
export const CONTINUES = 0xffffffff;

/** True if bytes begin as an Arrow file. */
export function isArrowFile(head: Uint8Array): boolean {
  return String.fromCharCode(...head.subarray(0, FILE_MAGIC.length)) === FILE_MAGIC;
}

/** True if bytes begin as an Arrow stream or file. A stream begins with a mark, and metadata that is a multiple of eight long. */
export function isArrow(head: Uint8Array): boolean {
  if (head.length < 8) return false;
  const view = new DataView(head.buffer, head.byteOffset, head.byteLength);
  const length = view.getInt32(4, true);
  return isArrowFile(head) || (view.getUint32(0, true) === CONTINUES && length > 0 && length % 8 === 0);
}
