import { afterAll, beforeAll, expect, it } from "vitest";
import { add, requestDevice, sizeClass, slabShare, TensorSlabs, type Device } from "../index.js";

let device: Device;
let storagesBefore = 0;
beforeAll(async () => {
  device = await requestDevice();
  storagesBefore = device.memory.info().liveStorages;
});
afterAll(() => {
  expect(device.memory.info().liveStorages).toBe(storagesBefore);
  device.dispose();
});

it("puts small tensors side by side, each with its own contents, and frees them with the last", async () => {
  const before = device.memory.info();
  const slabs = new TensorSlabs(device, slabShare(400) + slabShare(6) + slabShare(4));
  const [a, b, c] = [slabs.empty([100], "f32", "a"), slabs.empty([3], "f16", "b"), slabs.empty([1], "u32", "c")];
  expect(device.memory.info().liveStorages).toBe(before.liveStorages + 1);
  expect(device.memory.info().inUseBytes - before.inUseBytes).toBe(sizeClass(1024));
  device.writeBytes(c, Uint8Array.of(7, 0, 0, 0));
  device.writeBytes(b, Uint8Array.of(0, 60, 0, 64, 0, 66));
  device.writeBytes(a, new Uint8Array(Float32Array.from({ length: 100 }, (_, i) => i).buffer));
  slabs.dispose();
  using sum = add(a, a);
  expect((await sum.read())[99]).toBe(198);
  expect([...(await b.read())]).toEqual([1, 2, 3]);
  expect(await c.item()).toBe(7);
  a.dispose();
  c.dispose();
  expect(device.memory.info().liveStorages).toBe(before.liveStorages + 2);
  b.dispose();
});

it("gives a large tensor a buffer of its own, and goes on in a new slab when one is full or more comes than was expected", () => {
  const before = device.memory.info().liveStorages;
  using slabs = new TensorSlabs(device, 300);
  const made = [2 ** 20, 10, 2 ** 19, 2 ** 19, 60].map((size) => slabs.empty([size], "f32", "w"));
  expect(made.map(({ byteOffset }) => byteOffset)).toEqual([0, 0, 0, 0, 0]);
  expect(new Set(made.map(({ storage }) => storage)).size).toBe(5);
  expect(made.map(({ storage }) => storage.isSlab)).toEqual([false, true, true, true, true]);
  using many = new TensorSlabs(device, 2 ** 30);
  const next = [2 ** 19, 2 ** 19, 2 ** 20 - 64, 64].map((size) => many.empty([size], "f32", "w"));
  expect(next.map(({ byteOffset }) => byteOffset)).toEqual([0, 2 ** 21, 2 ** 22, 2 ** 23 - 256]);
  expect(new Set(next.map(({ storage }) => storage)).size).toBe(1);
  for (const tensor of [...made, ...next]) tensor.dispose();
  slabs.dispose();
  many.dispose();
  expect(device.memory.info().liveStorages).toBe(before);
});
