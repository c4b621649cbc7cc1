import { type ByteDirectory, SourceError } from "@kto/core";
import { ADAPTER_WEIGHTS_FILE } from "@kto/lora";
import { openSafetensors, type SafetensorsFile } from "@kto/safetensors";

/** The file of an adapter's weights, its caller's to dispose. Throws SourceError where there is none. */
export async function openAdapterWeights(directory: ByteDirectory): Promise<SafetensorsFile> {
  const path = `${directory.name}/${ADAPTER_WEIGHTS_FILE}`;
  const source = await directory.open(ADAPTER_WEIGHTS_FILE);
  if (!source)
    throw new SourceError(`adapter: ${path}: no such file; expected the weights of an adapter as peft saves it; check the folder`, {
      source: path,
      reason: "ENOENT",
    });
  try {
    return await openSafetensors(source);
  } catch (error) {
    await source.dispose?.();
    throw error;
  }
}
