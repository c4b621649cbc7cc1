import { afterAll, beforeAll, expect, it, vi } from "vitest";
import { requestDevice, type Device } from "../index.js";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device?.dispose());

/** So many bytes, all of one value. */
const piece = (value: number, byteLength: number): Uint8Array => new Uint8Array(byteLength).fill(value);

it("writes what it has room for through memory that it keeps, in order, and leaves none", async () => {
  const before = device.memory.info();
  const writeBuffer = vi.spyOn(device.gpuDevice.queue, "writeBuffer");
  const byteLength = 2 ** 20;
  using target = device.zeros([byteLength], "u32"); // room for four pieces
  using uploads = device.uploads();
  for (let round = 0; round < 5; round++)
    for (let part = 0; part < 4; part++) {
      await uploads.room();
      device.writeBytes(target, piece(10 * round + part, byteLength), part * byteLength);
    }
  const large = writeBuffer.mock.calls.filter(([, , data]) => (data as Uint8Array).byteLength === byteLength);
  expect(large).toHaveLength(0);
  const bytes = await device.readBytes(target);
  for (let part = 0; part < 4; part++) for (const at of [0, byteLength - 1]) expect(bytes[part * byteLength + at]).toBe(40 + part);
  uploads.dispose();
  target.dispose();
  await device.memory.trim();
  expect(device.memory.info().allocatedBytes).toBeLessThanOrEqual(before.allocatedBytes);
  writeBuffer.mockRestore();
});

it("lets through as ever what comes without waiting, what is larger than a piece, and what comes after its end", async () => {
  const numWords = 2 ** 21; // 8 MiB
  using target = device.zeros([numWords], "u32");
  const uploads = device.uploads();
  device.writeBytes(target, piece(1, 2 ** 20));
  await uploads.room();
  device.writeBytes(target, piece(2, 4 * numWords - 2 ** 20), 2 ** 20);
  device.writeBytes(target, piece(3, 2 ** 16), 2 ** 20);
  uploads.dispose(); // with a piece on its way
  device.writeBytes(target, piece(4, 2 ** 16), 2 ** 21);
  await uploads.room();
  const bytes = await device.readBytes(target);
  expect([0, 2 ** 20, 2 ** 20 + 2 ** 16, 2 ** 21, 2 ** 21 + 2 ** 16].map((at) => bytes[at])).toEqual([1, 3, 2, 4, 2]);
});
