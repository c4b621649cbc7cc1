// Notebook, step 6: the adapter, the model with the adapter merged into it in 16 and in 4 bits, and the hub.

import { loadAdapter, loadModel, openDevice, savePretrainedMerged } from "kto";
import { pushToHub, pushToHubMerged } from "kto/node";
import { folder, modelName, repo } from "./settings.js";
import { formatBytes, options, pushOptions } from "./terminal.js";

using device = await openDevice();
using base = await loadModel(modelName, { device, loadIn4bit: true, ...options });
using model = await loadAdapter(base, `${folder}/outputs`);

console.log(`in ${folder}:`);
await savePretrainedMerged(model, `${folder}/lora_model`, { saveMethod: "lora" }); // adapter and tokenizer
console.log(`  lora_model: the adapter, in peft's format`);

const merged = await savePretrainedMerged(model, `${folder}/merged_model`, { saveMethod: "merged_16bit", ...options });
console.log(`  merged_model: ${formatBytes(merged!.bytes)} in ${merged!.dtype}`);

// Four bits again lose about as much as most adapters change, so "merged_4bit" alone is refused.
const forced = await savePretrainedMerged(model, `${folder}/merged_model_4bit`, { saveMethod: "merged_4bit_forced", ...options });
console.log(`  merged_model_4bit: ${formatBytes(forced!.bytes)}`);

if (repo) {
  const run = `${folder}/outputs`; // the model card tells of it
  const adapter = await pushToHub(`${folder}/lora_model`, { repo: `${repo}-lora`, run, ...pushOptions });
  console.log(`pushed: ${adapter.url}`);
  const model16 = await pushToHubMerged(model, { repo, saveMethod: "merged_16bit", run, ...pushOptions });
  console.log(`pushed: ${model16.url}`);
} else {
  console.log("nothing is pushed: that takes --repo your_name/model, and a token in HF_TOKEN");
}
