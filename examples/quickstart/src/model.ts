import { PeftModel } from "@kto/lora";
import { loadAdapter } from "@kto/lora/node";
import { Qwen2ForCausalLM } from "@kto/qwen2";
import { fileDirectory } from "@kto/core/node";
import type { Device } from "@kto/tensor";
import { modelFolder } from "./paths.js";

/** The quickstart's model as it is committed, in f32; its caller's to dispose. */
export function loadModel(device: Device): Promise<Qwen2ForCausalLM> {
  return Qwen2ForCausalLM.fromPretrained(fileDirectory(modelFolder), { device, dtype: "f32" });
}

/** Puts an adapter from a folder on the model; disposing it leaves the model as it was. */
export async function withAdapter(model: Qwen2ForCausalLM, folder: string): Promise<PeftModel<Qwen2ForCausalLM>> {
  const { config, weights } = await loadAdapter(folder, model);
  const adapted = new PeftModel(model);
  adapted.addAdapter(config, { weights, isTrainable: false });
  return adapted;
}
