// Notebook, step 5, first half: a LoRA adapter on every projection.

import { getPeftModel, loadModel, openDevice, savePretrainedMerged } from "kto";
import { folder, modelName } from "./settings.js";
import { options } from "./terminal.js";

using device = await openDevice();
using base = await loadModel(modelName, { device, loadIn4bit: true, ...options });
using model = getPeftModel(
  base,
  {
    r: 16,
    targetModules: ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    loraAlpha: 16,
    loraDropout: 0,
    bias: "none",
  },
  { seed: 3407 },
);

const { bucket, targets } = model.activeAdapter;
console.log(`${targets.length} layers adapted`);
console.log(`Number of trainable parameters = ${bucket.flat.size.toLocaleString("en")}`);

// Untrained: its B is all zeros, so the model still says what it said. The next step trains it.
await savePretrainedMerged(model, `${folder}/fresh_adapter`, { saveMethod: "lora" });
