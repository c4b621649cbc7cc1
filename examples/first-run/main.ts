import { openDevice, loadModel, loadDataset, directory } from "@kto/kit";
import { KTOTrainer } from "@kto/trainer";

const device = await openDevice(); // the GPU; where there is none, the software adapter if installed, and says so
const model = await loadModel("examples/quickstart/model", { device }); // folder or "owner/name"; carries its tokenizer and name; { loadIn4bit: true }
const trainDataset = await loadDataset("examples/quickstart/data/train.jsonl"); // file, folder or hub name; { split }
const trainer = new KTOTrainer({
  model,
  peftConfig: { r: 8, loraAlpha: 16, targetModules: "all-linear" },
  trainDataset,
  args: { maxSteps: 3, perDeviceTrainBatchSize: 8, learningRate: 1e-3, loggingSteps: 1 },
  output: directory("outputs"),
});
for await (const { step, loss, rewards } of trainer.train()) console.log(step, loss.toFixed(4), rewards.margins);
await trainer.saveModel(); // adapter, tokenizer, model card, trainer_state.json: peft opens the folder
device.dispose();
