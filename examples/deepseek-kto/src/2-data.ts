// Notebook, step 4: conversations, each marked as a good answer or a bad one.

import { loadDataset, openTokenizer } from "kto";
import { datasetName, modelName, numRows } from "./settings.js";
import { options } from "./terminal.js";

/** A row of kto-mix: a conversation, the answer to it, and whether that is a good one. */
interface Row {
  prompt: { role: string; content: string }[];
  completion: { role: string; content: string }[];
  label: boolean;
}

const trainDataset = await loadDataset<Row>(datasetName, { split: "train", ...options });
const trainSubset = trainDataset.take(numRows);

const numGood = trainSubset.filter(({ label }) => label).length;
console.log(datasetName);
console.log(`  ${trainDataset.length} rows of ${[...trainDataset.columnNames].join(", ")}`);
console.log(`  the first ${trainSubset.length}: ${numGood} good answers, ${trainSubset.length - numGood} bad ones`);

// The trainer applies the chat template itself. What it makes of the first row:
const tokenizer = await openTokenizer(modelName, options);
const { prompt, completion } = trainSubset.at(0);
const text = tokenizer?.applyChatTemplate([...prompt, ...completion], { tokenize: false });
console.log(`\n${text?.slice(0, 400)}`);
