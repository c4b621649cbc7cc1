import { writeFileAtomic } from "@kto/core/node";
import { type TensorsToWrite, type WriteOptions, writeSafetensors } from "../writer.js";

/**
 * Writes a safetensors file at `path`, atomically. The folder must exist.
 *
 * @returns bytes written
 * @throws WriteError when the file system refuses (`reason: "ENOSPC"` for a full disk), FormatError naming the tensor that is wrong
 */
export async function writeSafetensorsFile(path: string, tensors: TensorsToWrite, options?: WriteOptions): Promise<number> {
  return writeFileAtomic(path, (sink) => writeSafetensors(sink, tensors, options));
}
