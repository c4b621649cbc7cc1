import { describeError } from "@kto/core";
import { snakeCase } from "@kto/core/config";
import { OutOfMemoryError } from "@kto/tensor";
import { expect, it } from "vitest";
import { adviseOnMemory } from "./memory-advice.js";

const parts = { operation: "GPU", problem: "out of memory; asked for 8 bytes" };

it("adds the fields that help, once, and leaves other errors alone", () => {
  const facts = { requestedBytes: 8, allocatedBytes: 64, freeBytes: 4 };
  const error = new OutOfMemoryError({ ...parts, advice: "close what else uses the GPU" }, facts);
  const advised = adviseOnMemory(error, ["perDeviceTrainBatchSize", "maxLength"]) as OutOfMemoryError;
  expect(advised).toMatchObject({ ...facts, name: "OutOfMemoryError", code: "OUT_OF_MEMORY", cause: error });
  expect(describeError(advised, snakeCase)).toBe(
    "GPU: out of memory; asked for 8 bytes; lower per_device_train_batch_size or max_length, or close what else uses the GPU",
  );
  expect(adviseOnMemory(advised, ["maxLength"])).toBe(advised);
  expect((adviseOnMemory(new OutOfMemoryError(parts, facts), ["maxLength"]) as Error).message).toMatch(/8 bytes; lower maxLength$/);
  const other = new Error("lost");
  expect(adviseOnMemory(other, ["maxLength"])).toBe(other);
});
