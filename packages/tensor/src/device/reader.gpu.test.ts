import { afterAll, beforeAll, expect, it } from "vitest";
import { requestDevice, ShapeError, type Device } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

it("reads what is there when a read is asked for, several at once, from buffers that it keeps until it is disposed", async () => {
  const before = device.memory.info().allocatedBytes;
  using tensor = device.tensor([1, 2, 3], [3], "u32");
  const allocated = device.memory.info().allocatedBytes;
  const reader = device.reader(16);
  const numbers = async (): Promise<number[]> => [...new Uint32Array((await reader.readBytes(tensor)).buffer)];
  const first = numbers();
  device.writeBytes(tensor, Uint8Array.from([9, 0, 0, 0]));
  const second = numbers();
  expect(await Promise.all([first, second])).toEqual([
    [1, 2, 3],
    [9, 2, 3],
  ]);
  const kept = device.memory.info().allocatedBytes;
  expect(kept).toBeGreaterThan(allocated);
  for (let i = 0; i < 5; i++) expect(await numbers()).toEqual([9, 2, 3]);
  expect(device.memory.info().allocatedBytes).toBe(kept);
  const late = numbers();
  reader.dispose();
  expect(await late).toEqual([9, 2, 3]);
  expect(device.memory.info().allocatedBytes).toBe(allocated);
  expect(allocated).toBeGreaterThanOrEqual(before);
});

it("refuses a tensor that is too large for it", async () => {
  using tensor = device.tensor([1, 2, 3], [3], "u32");
  using reader = device.reader(8);
  await expect(reader.readBytes(tensor)).rejects.toThrow(ShapeError);
});
