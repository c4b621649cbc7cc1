/** One rank of `npm run bench -- scale --check`: times sums over all ranks of this host. The first rank prints seconds by MiB, the least of the repeats. */
import { mpiCollective } from "@kto/mpi";

const sizes = process.argv.slice(2).map(Number);
const ranks = mpiCollective();
const seconds: Record<string, number> = {};
for (const mebibytes of sizes) {
  const numbers = new Float32Array(new ArrayBuffer(Math.max(1, Math.round(mebibytes * 2 ** 18)) * 4));
  const repeats = mebibytes > 16 ? 5 : 20;
  let least = Infinity;
  for (let repeat = 0; repeat < repeats; repeat++) {
    await ranks.gather([]); // all begin together
    const start = performance.now();
    await ranks.sum(numbers);
    least = Math.min(least, (performance.now() - start) / 1000);
  }
  seconds[mebibytes] = Math.max(...(await ranks.gather([least])).flat());
}
if (ranks.rank === 0) console.log(JSON.stringify(seconds));
await ranks.end();
