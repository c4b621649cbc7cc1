import { expect, it } from "vitest";
import { mostPoints, pageData } from "../page-data.js";
import { runOf } from "../testing/run-of.js";
import { withRows } from "./append-rows.js";

const valuesOf = (run: ReturnType<typeof withRows>, name: string): [step: number, value: number | null][] => {
  const { steps, values } = run.series.find((series) => series.name === name)!;
  return run.steps[steps]!.map((step, index) => [step, values[index]!]);
};

it("adds rows to the curves that there are, and curves that are new, each at its own steps", () => {
  const [run] = pageData([runOf({ numSteps: 2, loss: (step) => step })]).runs;
  const more = withRows(run!, { records: [{ step: 3, epoch: 1, loss: null, num_tokens: 9 }], evaluations: [{ step: 2, eval_loss: 0.5 }] });
  expect(valuesOf(more, "loss")).toEqual([[1, 1], [2, 2], [3, null]]); // prettier-ignore
  expect([valuesOf(more, "num_tokens"), valuesOf(more, "eval_loss")]).toEqual([[[3, 9]], [[2, 0.5]]]);
  expect(valuesOf(more, "kl")).toHaveLength(2);
  expect([more.lastStep, more.series.some(({ name }) => name === "epoch")]).toEqual([3, false]);
  expect(withRows(more, { records: [], evaluations: [{ step: 3, eval_loss: 0.4 }] }).lastStep).toBe(3);
});

it("keeps a page that is open for days as small as one that was just opened, and every extreme", () => {
  let [run] = pageData([runOf({ numSteps: 1 })]).runs;
  for (let step = 2; step <= 3 * mostPoints; step += 100)
    run = withRows(run!, {
      records: Array.from({ length: 100 }, (_, index) => ({
        step: step + index,
        loss: step + index === 777 ? 1e6 : Math.sin(step + index),
      })),
      evaluations: [],
    });
  const points = valuesOf(run!, "loss");
  expect(points.length).toBeLessThanOrEqual(2 * mostPoints);
  expect(points.find(([, value]) => value === 1e6)).toEqual([777, 1e6]);
  expect(points.at(-1)![0]).toBe(run!.lastStep);
});
