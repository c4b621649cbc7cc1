// Notebook, step 5, second half: KTO.

import { directory, KTOTrainer, loadAdapter, loadDataset, loadModel, openDevice } from "kto";
import { datasetName, folder, modelName, numRows } from "./settings.js";
import { formatBytes, options, signal } from "./terminal.js";

using device = await openDevice();
using base = await loadModel(modelName, { device, loadIn4bit: true, ...options });
using model = await loadAdapter(base, `${folder}/fresh_adapter`);
const trainDataset = await loadDataset(datasetName, { split: "train", ...options });

const ktoTrainer = new KTOTrainer({
  model,
  args: {
    perDeviceTrainBatchSize: 4,
    gradientAccumulationSteps: 2,
    numTrainEpochs: 1,
    learningRate: 5e-7,
    loggingSteps: 1,
    optim: "adamw_8bit",
    weightDecay: 0.01,
    lrSchedulerType: "cosine",
    warmupSteps: 0.1, // below 1 a share of the run: the notebook's warmup_ratio
    seed: 42,
    saveSteps: 25,
  },
  trainDataset: trainDataset.take(numRows),
  output: directory(`${folder}/outputs`),
});

const run = await ktoTrainer.plan({ resumeFrom: true, signal }); // goes on where a run was interrupted
const { numRows: numExamples, totalUpdates } = run.counts;
console.log(`Num examples = ${numExamples} | Total steps = ${totalUpdates}`);
if (run.isFinished) console.log(`trained already; remove ${folder}/outputs to train again`);
else
  console.log(
    `GPU memory: ${formatBytes(run.memory.peakBytes)} at most${run.startStep > 0 ? `; going on after step ${run.startStep}` : ""}`,
  );

console.log("\nStep   Training Loss   Rewards/margins");
for await (const { step, loss, rewards } of run.train({ signal }))
  console.log(`${String(step).padStart(4)}   ${loss.toFixed(6).padStart(13)}   ${rewards.margins?.toFixed(6).padStart(15) ?? ""}`);
await ktoTrainer.saveModel();

const { globalStep, trainingLoss, metrics } = ktoTrainer.result!;
console.log(`\nglobal_step=${globalStep}, training_loss=${trainingLoss.toFixed(6)}, train_runtime=${metrics.train_runtime.toFixed(1)}`);
