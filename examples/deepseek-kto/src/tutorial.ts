// All steps in order, or those that are named: npm run tutorial -- 4-train 5-save-merge-push

import { checkPush } from "kto/node";
import { askedSteps, repo } from "./settings.js";
import { signal } from "./terminal.js";

const steps = ["1-load", "2-data", "3-lora", "4-train", "5-save-merge-push", "6-gguf", "7-generate"];

const unknown = askedSteps.find((step) => !steps.includes(step));
if (unknown !== undefined) throw new RangeError(`there is no step ${JSON.stringify(unknown)}; expected ${steps.join(", ")}`);

if (repo) for (const name of [`${repo}-lora`, repo, `${repo}-GGUF`]) await checkPush({ repo: name, signal }); // known before anything is trained

for (const step of askedSteps.length > 0 ? askedSteps : steps) {
  console.log(`\n── ${step} ${"─".repeat(50 - step.length)}`);
  await import(`./${step}.js`);
}
