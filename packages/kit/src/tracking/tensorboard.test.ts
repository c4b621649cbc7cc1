import { memoryStore, type Store } from "@kto/core";
import type { TrackedRun, TrainOutput } from "@kto/trainer";
import { readEvents } from "@kto/testing/workspace";
import { describe, expect, it, test } from "vitest";
import { crc32c } from "./crc32c.js";
import { tensorBoard } from "./tensorboard.js";

const ascii = (text: string): Uint8Array => new TextEncoder().encode(text);

test.each([
  ["123456789", ascii("123456789"), 0xe3069283],
  ["32 zeros", new Uint8Array(32), 0x8a9136aa],
  ["32 ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
  ["32 that rise", Uint8Array.from({ length: 32 }, (_, index) => index), 0x46dd794e],
])("CRC-32C of %s is that of RFC 3720", (_, bytes, sum) => {
  expect(crc32c(bytes)).toBe(sum);
});

const started = (startStep = 0): TrackedRun =>
  ({ startStep, args: { learningRate: 5e-7, perDeviceTrainBatchSize: 4, optim: "adamw_torch" } }) as TrackedRun;
const result = { globalStep: 20, metrics: { train_runtime: 12.5, train_loss: 0.4 } } as TrainOutput;

async function filesOf(store: Store): Promise<Uint8Array[]> {
  const names = (await store.list()).map(({ name }) => name);
  for (const name of names) expect(name).toMatch(/^events\.out\.tfevents\.\d{10}\.kto$/);
  return Promise.all(
    names.map(async (name) => {
      const source = (await store.open(name))!;
      return source.slice(0, source.byteLength);
    }),
  );
}

describe("event files of TensorBoard", () => {
  it("hold the run under the names of transformers, framed and summed", async () => {
    const store = memoryStore();
    const tracker = tensorBoard(store);
    await tracker.start(started());
    await tracker.log(10, { loss: 0.5, "rewards/chosen": -0.25, num_tokens: 12_345, grad_norm: Number.NaN });
    await tracker.log(10, { eval_loss: 0.75, "eval_rewards/margins": 0.125 });
    await tracker.log(300, { loss: 0.25 }); // a step of two bytes
    await tracker.end(result);
    const [file, ...others] = await filesOf(store);
    expect(others).toEqual([]);
    const [opening, texts, ...events] = readEvents(file!);
    expect(opening).toMatchObject({ fileVersion: "brain.Event:2" });
    expect(Math.abs(opening!.wallTime - Date.now() / 1000)).toBeLessThan(60);
    const args = '    {\n      "learning_rate": 5e-7,\n      "per_device_train_batch_size": 4,\n      "optim": "adamw_torch"\n    }';
    expect(texts).toMatchObject({ step: 0, texts: { "args/text_summary": args }, plugins: ["text"] });
    expect(events.map(({ step, scalars }) => [step, scalars])).toEqual([
      [10, { "train/loss": 0.5, "train/rewards/chosen": -0.25, "train/num_tokens": 12_345, "train/grad_norm": Number.NaN }],
      [10, { "eval/loss": 0.75, "eval/rewards/margins": 0.125 }],
      [300, { "train/loss": 0.25 }],
      [20, { "train/train_runtime": 12.5, "train/train_loss": Math.fround(0.4) }],
    ]);
  });

  it("go on in a further file, which voids what was logged after the checkpoint", async () => {
    const store = memoryStore();
    for (const startStep of [0, 7, 9]) {
      const tracker = tensorBoard(store, { texts: { args: "first\nsecond" } });
      await tracker.start(started(startStep));
      await tracker.log(startStep + 1, { loss: 1 });
      await tracker.end(undefined); // interrupted
    }
    const files = await filesOf(store);
    expect(files.map((file) => readEvents(file).map(({ step, restarts }) => [step, restarts]))).toEqual([
      [
        [0, false],
        [0, false],
        [1, false],
      ],
      [
        [0, false],
        [8, true],
        [7, false],
        [8, false],
      ],
      [
        [0, false],
        [10, true],
        [9, false],
        [10, false],
      ],
    ]);
    expect(readEvents(files[0]!)[1]!.texts).toEqual({ "args/text_summary": "    first\n    second" });
  });

  it("that cannot be written are told to the run", async () => {
    const tracker = tensorBoard({ ...memoryStore(), list: () => Promise.resolve([]), append: () => Promise.reject(new Error("full")) });
    await expect(tracker.start(started())).rejects.toThrow("full");
  });
});
