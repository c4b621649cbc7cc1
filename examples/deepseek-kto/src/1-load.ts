// Notebook, step 3: the model in four bits, its tokenizer and its chat template.

import { loadModel, openDevice } from "kto";
import { modelName } from "./settings.js";
import { formatBytes, options } from "./terminal.js";

using device = await openDevice(); // the GPU; without one, a software adapter that is good for tiny models
using model = await loadModel(modelName, { device, loadIn4bit: true, ...options }); // downloaded once, into the cache that Python shares

const inFourBits = model.quantizedWeights.size;
console.log(modelName);
console.log(`  ${model.numParameters.toLocaleString("en")} parameters in ${model.numHiddenLayers} layers`);
console.log(`  ${inFourBits} of ${model.linearLayers.size} linear layers in four bits, the others in ${model.dtype}`);
console.log(`  ${formatBytes(model.weightBytes)} of weights on the GPU, rows of up to ${model.maxPositionEmbeddings} tokens`);

// A default chat template if missing: there is one already.
const template = model.tokenizer?.templateFor();
console.log(`  chat template: ${template?.source === "model" ? "the model's own" : "a default one, as the model has none"}`);
