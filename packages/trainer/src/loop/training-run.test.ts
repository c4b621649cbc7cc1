import { expect, test } from "vitest";
import type { TrainLog, TrainOutput } from "./events.js";
import { TrainingRun } from "./training-run.js";

const output = { globalStep: 2 } as TrainOutput;

function makeRun(): { run: TrainingRun; started: () => boolean } {
  let hasStarted = false;
  async function* logs(): AsyncGenerator<TrainLog, TrainOutput, undefined> {
    hasStarted = true;
    yield { step: 1 } as TrainLog;
    yield { step: 2 } as TrainLog;
    return output;
  }
  return { run: new TrainingRun(logs()), started: () => hasStarted };
}

test("is iterated for its logs, and starts with the first of them", async () => {
  const { run, started } = makeRun();
  await Promise.resolve();
  expect(started()).toBe(false);
  const steps: number[] = [];
  for await (const { step } of run) steps.push(step);
  expect(steps).toEqual([1, 2]);
});

test("is awaited for its output, as often as one likes", async () => {
  const { run } = makeRun();
  expect(await run).toBe(output);
  expect(await run).toBe(output);
});

test("is not both", async () => {
  const { run: awaited } = makeRun();
  await awaited;
  await expect(awaited.next()).rejects.toMatchObject({
    code: "TRAINER_USAGE",
    message: expect.stringContaining("is being awaited already"),
  });
  const { run: iterated } = makeRun();
  await iterated.next();
  await expect(iterated).rejects.toMatchObject({ code: "TRAINER_USAGE", message: expect.stringContaining("is being iterated already") });
});

test("a break ends the run", async () => {
  const { run } = makeRun();
  for await (const { step } of run) if (step === 1) break;
  expect(await run.next()).toEqual({ done: true, value: undefined });
});
