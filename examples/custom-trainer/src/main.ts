import { fileURLToPath } from "node:url";
import { folderStore } from "@kto/core/node";
import { getPeftModel, saveAdapter } from "@kto/lora";
import { installSoftwareGpu } from "@kto/software-gpu";
import { requestDevice } from "@kto/tensor";
import { loadExamples, loadModel } from "./quickstart.js";
import { train } from "./train.js";

// `npm start -w examples/custom-trainer`, on the software adapter; with KTO_DEVICE=gpu on the machine's own GPU.
if (process.env["KTO_DEVICE"] !== "gpu") await installSoftwareGpu();
await using device = await requestDevice();
using base = await loadModel(device);
using model = getPeftModel(base, { r: 16, loraAlpha: 32, targetModules: "all-linear", baseModelNameOrPath: "../quickstart/model" });

for await (const { step, loss, gradNorm } of train(model, await loadExamples())) {
  if (step % 8 === 0) console.log(`step ${String(step).padStart(3)}  loss ${loss.toFixed(4)}  grad norm ${gradNorm.toFixed(3)}`);
}

const { config, targets } = model.activeAdapter;
const folder = await saveAdapter(folderStore(fileURLToPath(new URL("../out", import.meta.url))), {
  config,
  targets,
  weights: await model.readAdapter(),
});
console.log(`adapter in ${folder.name}`);
