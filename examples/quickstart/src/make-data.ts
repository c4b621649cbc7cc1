import { mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { loadModel, openDevice } from "@kto/kit";
import { markedAnswers, numTrainRows } from "./marked-answers.js";
import { modelFolder, testFile, trainFile } from "./paths.js";
import { testSums } from "./sums.js";

// Makes data/ again: `npm run make-data -w examples/quickstart`.
await using device = await openDevice({ device: "software" });
using model = await loadModel(modelFolder, { device, dtype: "f32" });
await mkdir(dirname(trainFile), { recursive: true });
for (const [file, split, numRows] of [
  [trainFile, "train", numTrainRows],
  [testFile, "test", testSums.length],
] as const) {
  const rows = await markedAnswers(model, split, 0, numRows);
  await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
  console.log(`${file}: ${rows.length} rows, ${rows.filter(({ label }) => label).length} right`);
}
