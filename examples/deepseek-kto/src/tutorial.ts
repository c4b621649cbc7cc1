// All steps in order, or those that are named: npm run tutorial -- 4-train 5-save-merge-push

import { askedSteps } from "./settings.js";

const steps = ["1-load", "2-data", "3-lora", "4-train", "5-save-merge-push", "6-gguf", "7-generate"];

const unknown = askedSteps.find((step) => !steps.includes(step));
if (unknown !== undefined) throw new RangeError(`there is no step ${JSON.stringify(unknown)}; expected ${steps.join(", ")}`);

for (const step of askedSteps.length > 0 ? askedSteps : steps) {
  console.log(`\n── ${step} ${"─".repeat(50 - step.length)}`);
  await import(`./${step}.js`);
}
