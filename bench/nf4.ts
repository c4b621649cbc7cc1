/**
 * Four-bit weights on this machine's GPU. `check`: codes, scales and the matrix in full against the host, to the bit, and products in every way of
 * computing them against float64. Times: `expand`, the matrix written out; `quantise`; `many`, products of many rows beside plain ones; `few`, products of
 * few rows by every way.
 *
 *   npm run bench -- nf4 [check] [expand] [quantise] [many] [few]      (all by default; on a software adapter with small matrices)
 */
import { requestDevice } from "@kto/tensor";
import { checkExactly, checkProducts } from "./nf4/check.js";
import { timeExpand, timeFewRows, timeManyRows, timeQuantize } from "./nf4/speed.js";
import type { Shape } from "./nf4/weights.js";

const device = await requestDevice();
const { software, description, shaderF16, subgroupMatrix } = device.capabilities;
console.log(`${description}: f16 ${shaderF16}, subgroup matrices ${subgroupMatrix.join(", ") || "none"}`);

const chosen = new Set(process.argv.slice(2));
const wants = (section: string): boolean => chosen.size === 0 || chosen.has(section);
/** The projections of the 1.5B Qwen2, and what fills no block, word or tile. */
const large: Shape[] = software ? [[48, 128]] : [[256, 1536], [1536, 1536], [8960, 1536], [1536, 8960]]; // prettier-ignore
const odd: Shape[] = [[129, 200], [33, 40], [24, 35], [3, 43]]; // prettier-ignore

if (wants("check")) {
  for (const shape of [...large, ...odd]) await checkExactly(device, shape);
  for (const shape of [...large, ...odd]) await checkProducts(device, shape, software ? [1, 2, 5, 16, 17] : [1, 2, 5, 16, 17, 64, 2048]);
}
if (wants("expand")) for (const shape of software ? large : large.slice(1)) await timeExpand(device, shape);
if (wants("quantise")) for (const shape of large) await timeQuantize(device, shape);
for (const direction of ["forward", "backward"] as const) {
  if (wants("many")) for (const shape of large) await timeManyRows(device, shape, direction, software ? 32 : 2048);
  if (wants("few")) for (const shape of large) await timeFewRows(device, shape, direction, software ? [1, 16] : [1, 4, 8, 12, 16, 24]);
}
console.log(`buffers left: ${device.memory.info().liveStorages}`);
device.dispose();
