/**
 * Asks this machine's GPU for more memory than it has: there must be one error, and the device must go on. Takes all of the GPU's memory for a moment.
 *
 *   npm run bench -- out-of-memory
 */
import { linear, OutOfMemoryError, requestDevice, type Tensor } from "@kto/tensor";

const pieceBytes = 2 ** 30;

const device = await requestDevice();
console.log(device.capabilities.description);
if (device.capabilities.software) throw new Error("out-of-memory: no GPU; a software adapter would take the machine's memory");

const held: Tensor[] = [];
let found: unknown;
while (!found) {
  try {
    held.push(device.unscoped(() => device.zeros([pieceBytes / 4], "f32", `piece ${held.length}`)));
    await device.sync();
  } catch (error) {
    found = error;
  }
  if (held.length > 1024) throw new Error("out-of-memory: no error after a TiB");
}
console.log(
  `${found instanceof OutOfMemoryError ? "ok " : "BAD"} after ${held.length - 1} GiB: ${found instanceof Error ? found.message : "no error"}`,
);
for (const tensor of held) tensor.dispose();
await device.memory.trim();

const identity = device.tensor(
  Float32Array.from({ length: 64 * 64 }, (_, i) => Number(i % 65 === 0)),
  [64, 64],
  "f32",
);
const x = device.tensor(
  Float32Array.from({ length: 64 * 64 }, (_, i) => i),
  [64, 64],
  "f32",
);
const y = await linear(x, identity).read();
console.log(`${y.every((value, i) => value === i) ? "ok " : "BAD"} the device goes on, with ${device.memory.info().allocatedBytes} bytes`);
device.dispose();
