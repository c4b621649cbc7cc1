import { setImmediate, setTimeout } from "node:timers/promises";
import { mpiCollective } from "../mpi-collective.js";

// A rank of a test: adds numbers up while the collector runs, and says what came out as one line of JSON. `node --expose-gc sums.ts LENGTH… `

const collective = mpiCollective();
const { rank, size, localRank, localSize, library } = collective;

function numbersOf(rank: number, length: number): Float32Array {
  const numbers = new Float32Array(length);
  let state = rank + 1;
  for (let index = 0; index < length; index++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    numbers[index] = (state / 2 ** 32 - 0.5) * 10 ** (state % 7);
  }
  return numbers;
}

function inOrder(length: number): Float32Array {
  const sum = numbersOf(0, length);
  for (let other = 1; other < size; other++) {
    const numbers = numbersOf(other, length);
    for (let index = 0; index < length; index++) sum[index]! += numbers[index]!;
  }
  return sum;
}

/** Makes the collector work, and moves and frees what it may, until the sums are done. */
const done = new AbortController();
async function litter(): Promise<void> {
  const { gc } = globalThis;
  while (!done.signal.aborted) {
    const garbage = Array.from({ length: 200 }, (_, index) => new Float32Array(index).fill(rank));
    gc?.();
    await (garbage.length > 0 ? setImmediate() : undefined);
  }
}
const littering = litter();

const sums: { length: number; isRight: boolean }[] = [];
for (const length of process.argv.slice(2).map(Number)) {
  const numbers = numbersOf(rank, length);
  await collective.sum(numbers);
  const expected = inOrder(length);
  sums.push({ length, isRight: Buffer.compare(Buffer.from(numbers.buffer), Buffer.from(expected.buffer)) === 0 });
}
done.abort();
await littering;

// A rank that comes late is waited for, and timers go on meanwhile.
await collective.gather([]);
if (rank === size - 1) await setTimeout(500);
let ticks = 0;
const ticking = setInterval(() => ticks++, 5);
const began = performance.now();
const gathered = await collective.gather([rank / 3]);
const waitedMs = performance.now() - began;
clearInterval(ticking);

await collective.end();
process.stdout.write(`${JSON.stringify({ rank, size, localRank, localSize, library, sums, gathered, ticks, waitedMs })}\n`);
