import { loadModel, openDevice } from "@kto/kit";
import { getPeftModel } from "@kto/lora";
import { loadExamples, quickstartModel } from "./quickstart.js";
import { train } from "./train.js";

// `npm start -w examples/custom-loss`: on the machine's GPU, where there is none on the software adapter.
const device = await openDevice();
const base = await loadModel(quickstartModel, { device });
const model = getPeftModel(base, { r: 16, loraAlpha: 32, targetModules: "all-linear" });

let step = 0;
for await (const loss of train(model, await loadExamples(base.tokenizer!))) {
  if (++step % 8 === 0) console.log(`step ${String(step).padStart(3)}  loss ${loss.toFixed(4)}`);
}
model.dispose();
device.dispose();
