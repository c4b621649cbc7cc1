// Notebook, step 6, end: files for llama.cpp and Ollama. Nothing to clone or to build, and no GPU.

import { openModel, savePretrainedGguf } from "kto";
import { pushToHubGguf } from "kto/node";
import { folder, repo } from "./settings.js";
import { formatBytes, options, pushOptions } from "./terminal.js";

const model = await openModel(`${folder}/merged_model`, options);
const { files } = await savePretrainedGguf(model, `${folder}/gguf`, { types: ["Q4_K_M", "F16"], overwrite: true, ...options });
console.log(`in ${folder}/gguf:`);
for (const { path, bytes, bpw } of files) console.log(`  ${path}: ${formatBytes(bytes)}, ${bpw.toFixed(2)} bits a weight`);
console.log(`to run it: ollama create my-model -f ${folder}/gguf/Modelfile`);

if (repo) {
  const { url } = await pushToHubGguf(model, { repo: `${repo}-GGUF`, types: ["Q4_K_M"], run: `${folder}/outputs`, ...pushOptions });
  console.log(`pushed: ${url}`);
}
