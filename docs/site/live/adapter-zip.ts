import { zipSync, type Zippable } from "fflate";
import type { SavedFile } from "./messages.js";
import { fetchModel } from "./site-files.js";

const howTo = `The adapter, and the model that it is for. In Python, in the folder of this file:

    from peft import AutoPeftModelForCausalLM
    from transformers import AutoTokenizer

    model = AutoPeftModelForCausalLM.from_pretrained("adapter")  # finds "model" by adapter_config.json
    tokenizer = AutoTokenizer.from_pretrained("adapter")
    inputs = tokenizer.apply_chat_template([{"role": "user", "content": "12+7="}], add_generation_prompt=True, return_tensors="pt", return_dict=True)
    print(tokenizer.decode(model.generate(**inputs, max_new_tokens=8)[0]))

With the command: kto chat --model model --adapter adapter
`;

/** The adapter with the model that it is for, as peft and transformers open them. */
export async function adapterZip(files: readonly SavedFile[]): Promise<Blob> {
  const folder: Zippable = { "README.txt": new TextEncoder().encode(howTo) };
  for (const { name, bytes } of files) folder[`adapter/${name}`] = bytes;
  for (const file of await fetchModel()) folder[`model/${file.name}`] = new Uint8Array(await file.arrayBuffer());
  return new Blob([zipSync(folder, { level: 0 })], { type: "application/zip" });
}
