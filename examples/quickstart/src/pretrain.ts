import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { loadModel, openDevice } from "@kto/kit";
import { writeQwen2Config } from "@kto/qwen2";
import { writeSafetensorsFile } from "@kto/safetensors/node";
import { loadTokenizer } from "@kto/tokenizer/node";
import { examine } from "./accuracy.js";
import { modelFolder } from "./paths.js";
import { pretrain, tinyConfig } from "./pretraining.js";
import { json, tokenizerFiles } from "./tokenizer-files.js";

// Makes model/ again: `npm run pretrain -w examples/quickstart`, six to nine minutes on two cores.
const numSteps = 2400;
const timesEach = 5;

await using device = await openDevice({ device: "software" });
await mkdir(modelFolder, { recursive: true });
for (const [name, content] of tokenizerFiles()) await writeFile(join(modelFolder, name), content);
const tokenizer = await loadTokenizer(modelFolder);

const started = performance.now();
using model = await pretrain(device, tokenizer, {
  numSteps,
  batchSize: 64,
  learningRate: 2.5e-3,
  seed: 1,
  onStep(step, loss) {
    if (step % 100 === 0)
      console.log(`step ${step}/${numSteps}  loss ${loss.toFixed(4)}  ${((performance.now() - started) / 1000).toFixed(0)} s`);
  },
});

await writeFile(join(modelFolder, "config.json"), json(writeQwen2Config(tinyConfig)));
await writeFile(
  join(modelFolder, "generation_config.json"),
  json({ do_sample: true, eos_token_id: tinyConfig.eosTokenId, max_new_tokens: 4, pad_token_id: tokenizer.padTokenId, temperature: 1 }),
);
const tensors = await Promise.all(
  [...model.weights].map(
    async ([name, weight]) =>
      [name, { dtype: "F32", shape: [...weight.shape], data: (await weight.read()) as Float32Array<ArrayBuffer> }] as const,
  ),
);
await writeSafetensorsFile(join(modelFolder, "model.safetensors"), tensors, { metadata: { format: "pt" } });

using written = await loadModel(modelFolder, { device, dtype: "f32" });
const { accuracy, answers } = await examine(written, { timesEach });
console.log(
  `${model.numParameters} parameters; right on ${(100 * accuracy).toFixed(1)} % of ${answers.length} sampled answers to held-out sums`,
);
