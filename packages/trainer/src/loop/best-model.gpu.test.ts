import { memoryStore, readText, type Store } from "@kto/core";
import { Dataset } from "@kto/datasets";
import type { Qwen2ForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { KTOTrainer, listCheckpoints, type KTOConfig, type TrainerEvent } from "../index.js";
import { tinyModel, tinyRows } from "../testing/tiny-model.js";

const peftConfig = { r: 4, loraAlpha: 8, targetModules: "all-linear" } as const;

/** The loss falls in this run from evaluation to evaluation: with more of it being better, the first evaluation stays the best. */
const settings: Partial<KTOConfig> = {
  perDeviceTrainBatchSize: 4,
  maxSteps: 6,
  learningRate: 1e-2,
  loggingSteps: 4,
  evalStrategy: "steps",
  evalSteps: 1,
  saveSteps: 1,
  loadBestModelAtEnd: true,
  greaterIsBetter: true,
};

let device: Device;
let base: Qwen2ForCausalLM;
beforeAll(async () => {
  device = await requestDevice();
  base = tinyModel(device);
});
afterAll(() => {
  base.dispose();
  device.dispose();
});

interface Ran {
  output: Store;
  events: TrainerEvent[];
  /** `trainer_state.json` of its end. */
  state: Record<string, unknown> & { log_history: Record<string, number>[] };
  error: unknown;
}

/** A run whose model is saved to its output at the end; `stopAt` says of an event that the run is to be interrupted at it. */
async function run(
  given: Partial<KTOConfig> = {},
  {
    output = memoryStore("out"),
    resumeFrom,
    stopAt,
  }: { output?: Store; resumeFrom?: true; stopAt?: (event: TrainerEvent) => boolean } = {},
): Promise<Ran> {
  const events: TrainerEvent[] = [];
  const stop = new AbortController();
  using trainer = new KTOTrainer({
    model: base,
    peftConfig,
    trainDataset: Dataset.from(tinyRows(12)),
    evalDataset: Dataset.from(tinyRows(6)),
    args: { ...settings, ...given },
    output,
    onEvent(event) {
      events.push(event);
      if (stopAt?.(event)) stop.abort(new Error("stop"));
    },
  });
  let error: unknown;
  try {
    await trainer.train({ resumeFrom, signal: stop.signal });
    await trainer.saveModel();
  } catch (failure) {
    error = failure;
  }
  return { output, events, state: JSON.parse(trainer.state()) as Ran["state"], error };
}

async function bytesOf(store: Store, path = "adapter_model.safetensors"): Promise<Uint8Array> {
  const source = (await store.open(path))!;
  return (await source.slice(0, source.byteLength)).slice();
}

const lossesOf = ({ state }: Ran): number[] => state.log_history.flatMap(({ eval_loss: loss }) => (loss === undefined ? [] : [loss]));
const ofType = (events: readonly TrainerEvent[], type: TrainerEvent["type"]): TrainerEvent[] =>
  events.filter((event) => event.type === type);

/** A state without what depends on the clock. */
function timeless({ state }: Ran): unknown {
  const withoutTime = (record: Record<string, number>): unknown =>
    Object.fromEntries(Object.entries(record).filter(([name]) => !/runtime|per_second/.test(name)));
  return { ...state, log_history: state.log_history.map(withoutTime) };
}

describe("a run that ends with its best model", () => {
  test("has the bytes of the best checkpoint, and says which that is", async () => {
    const ran = await run();
    const losses = lossesOf(ran);
    expect(losses).toHaveLength(6);
    expect(Math.max(...losses)).toBe(losses[0]);
    expect(await bytesOf(ran.output)).toEqual(await bytesOf(ran.output, "checkpoint-1/adapter_model.safetensors"));
    expect(await bytesOf(ran.output)).not.toEqual(await bytesOf(ran.output, "checkpoint-6/adapter_model.safetensors"));
    const path = "out/checkpoint-1";
    expect(ran.state).toMatchObject({ best_metric: losses[0], best_global_step: 1, best_model_checkpoint: path, global_step: 6 });
    const best = { type: "bestModel", metric: "eval_loss", value: losses[0], step: 1, checkpoint: path, isWanted: true, isLoaded: true };
    expect(ofType(ran.events, "bestModel")).toEqual([best]);

    const least = await run({ greaterIsBetter: null }); // less is better: the last
    expect(lossesOf(least)).toEqual(losses);
    expect(least.state).toMatchObject({ best_metric: Math.min(...losses), best_global_step: 1 + losses.indexOf(Math.min(...losses)) });
    const { best_global_step: step } = least.state;
    expect(await bytesOf(least.output)).toEqual(await bytesOf(least.output, `checkpoint-${String(step)}/adapter_model.safetensors`));

    const told = await run({ loadBestModelAtEnd: false, metricForBestModel: "loss", maxSteps: 2 });
    expect(await bytesOf(told.output)).toEqual(await bytesOf(told.output, "checkpoint-2/adapter_model.safetensors"));
    expect(ofType(told.events, "bestModel")).toEqual([{ ...best, isWanted: false, isLoaded: false }]);
  });

  test("keeps the best of few checkpoints, and it alone of one", async () => {
    const two = await run({ saveTotalLimit: 2, maxSteps: 4 });
    expect(await listCheckpoints(two.output)).toEqual(["checkpoint-1", "checkpoint-4"]);
    const one = await run({ saveTotalLimit: 1, maxSteps: 4 });
    expect(await listCheckpoints(one.output)).toEqual(["checkpoint-1"]);
    expect(ofType(one.events, "checkpointRemoved").map((event) => (event as { name: string }).name)).toEqual([
      "checkpoint-2",
      "checkpoint-3",
      "checkpoint-4",
    ]);
    expect(await bytesOf(one.output)).toEqual(await bytesOf(two.output));
    const best = await run({ saveStrategy: "best", maxSteps: 4 });
    expect(await listCheckpoints(best.output)).toEqual(["checkpoint-1"]);
    expect(await bytesOf(best.output)).toEqual(await bytesOf(two.output));
  });

  test("of which the best evaluation has no checkpoint takes that of an earlier best, or says that there is none", async () => {
    const ran = await run({ saveSteps: 2, maxSteps: 4 });
    expect(ran.state).toMatchObject({ best_global_step: 1, best_model_checkpoint: null });
    expect(ofType(ran.events, "bestModel")).toMatchObject([{ step: 1, checkpoint: undefined, isLoaded: false }]);
    expect(await bytesOf(ran.output)).toEqual(await bytesOf(ran.output, "checkpoint-4/adapter_model.safetensors"));
  });

  test("cannot be without a place for checkpoints, and fails where the best one is damaged", async () => {
    {
      const datasets = { trainDataset: Dataset.from(tinyRows(12)), evalDataset: Dataset.from(tinyRows(6)) };
      using trainer = new KTOTrainer({ model: base, peftConfig, ...datasets, args: settings });
      await expect(trainer.train()).rejects.toThrow(/no place for checkpoints; expected an output, got none; pass output/);
    }
    const output = memoryStore("out");
    const damaging = (event: TrainerEvent): boolean => {
      if (event.type === "checkpoint" && event.step === 2) void output.write("checkpoint-1/adapter_model.safetensors", "{}");
      return false;
    };
    const { error } = await run({ maxSteps: 3 }, { output, stopAt: damaging });
    expect(error).toMatchObject({ code: "FORMAT", message: expect.stringMatching(/checkpoint-1\/adapter_model\.safetensors is damaged/) });
  });
});

describe("early stopping", () => {
  const early: Partial<KTOConfig> = { earlyStoppingPatience: 2, earlyStoppingThreshold: 1e-6 };

  test("ends a run after evaluations without progress, with a checkpoint; more patience goes on from there", async () => {
    const ran = await run({ ...early, saveSteps: 4, evalSteps: 1, loadBestModelAtEnd: false });
    expect(ofType(ran.events, "earlyStop")).toEqual([{ type: "earlyStop", step: 3, evaluations: 2 }]);
    expect(await listCheckpoints(ran.output)).toEqual(["checkpoint-3"]);
    expect(ran.state).toMatchObject({
      global_step: 3,
      max_steps: 6,
      stateful_callbacks: {
        EarlyStoppingCallback: {
          args: { early_stopping_patience: 2, early_stopping_threshold: 1e-6 },
          attributes: { early_stopping_patience_counter: 2 },
        },
      },
    });
    const again = await run({ ...early, saveSteps: 4, loadBestModelAtEnd: false }, { output: ran.output, resumeFrom: true });
    expect(ofType(again.events, "update")).toEqual([]);
    expect(ofType(again.events, "earlyStop")).toEqual([]);
    const patient = await run({ ...early, earlyStoppingPatience: 4, saveSteps: 4 }, { output: ran.output, resumeFrom: true });
    expect(ofType(patient.events, "earlyStop")).toEqual([{ type: "earlyStop", step: 5, evaluations: 4 }]);
    expect(await bytesOf(patient.output)).not.toEqual(await bytesOf(patient.output, "checkpoint-3/adapter_model.safetensors"));
  });

  test.each<[where: string, stopAt: (event: TrainerEvent) => boolean]>([
    ["between two updates", (event) => event.type === "update" && event.step === 2],
    ["while it evaluates", (event) => event.type === "evaluateProgress"],
    ["while it evaluates for the last time", (event) => event.type === "update" && event.step === 3],
    ["after an evaluation", (event) => event.type === "evaluate" && event.record["step"] === 2],
  ])("interrupted %s it goes on to the same end, to the bit, with the same state", async (_where, stopAt) => {
    const args = { ...early, perDeviceEvalBatchSize: 3, saveTotalLimit: 2 };
    const whole = await run(args);
    const stopped = await run(args, { stopAt });
    expect(stopped.error).toMatchObject({ message: "stop" });
    const resumed = await run(args, { output: stopped.output, resumeFrom: true });
    expect(resumed.error).toBeUndefined();
    expect(timeless(resumed)).toEqual(timeless(whole));
    expect(await bytesOf(resumed.output)).toEqual(await bytesOf(whole.output));
    expect(await listCheckpoints(resumed.output)).toEqual(await listCheckpoints(whole.output));
    const inLast = JSON.parse((await readText(resumed.output, "checkpoint-3/trainer_state.json"))!) as Record<string, unknown>;
    expect(inLast).toMatchObject({ best_global_step: 1, best_model_checkpoint: "out/checkpoint-1" });
  });
});
