import { toFloat32 } from "@kto/safetensors";
import { openSafetensorsFile } from "@kto/safetensors/node";

/** Every tensor of a safetensors file, by name. */
export async function readTensors(path: string): Promise<Map<string, Float32Array>> {
  const file = await openSafetensorsFile(path);
  try {
    const tensors = new Map<string, Float32Array>();
    for (const name of file.tensors.keys()) {
      const { data, dtype } = await file.read(name);
      tensors.set(name, toFloat32(data, dtype).values);
    }
    return tensors;
  } finally {
    await file.dispose();
  }
}
