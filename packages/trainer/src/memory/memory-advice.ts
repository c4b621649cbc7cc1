import { isKtoError } from "@kto/core";
import { OutOfMemoryError } from "@kto/tensor";

/**
 * The error of a GPU without memory with what helps here added: lowering one of these config fields, which `@kto/tensor` knows nothing of.
 * An error that names fields already, and any other error, comes back as it is.
 */
export function adviseOnMemory(error: unknown, fields: readonly string[]): unknown {
  if (!isKtoError(error) || error.code !== "OUT_OF_MEMORY" || error.parts === undefined || error.parts.fields !== undefined) return error;
  const { requestedBytes, allocatedBytes, freeBytes } = error as OutOfMemoryError;
  const lower = `lower ${fields.map((field) => `{${field}}`).join(" or ")}`;
  const advice = error.parts.advice === undefined ? lower : `${lower}, or ${error.parts.advice}`;
  return new OutOfMemoryError({ ...error.parts, advice, fields }, { requestedBytes, allocatedBytes, freeBytes, cause: error });
}
