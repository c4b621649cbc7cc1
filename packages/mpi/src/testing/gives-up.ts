import { setTimeout } from "node:timers/promises";
import { mpiCollective } from "../mpi-collective.js";

// A rank of a test: rank 1 gives up while the others wait for it.

const collective = mpiCollective();
if (collective.rank === 1) {
  await setTimeout(100);
  await collective.fail({ text: "no room", status: 3 });
} else {
  const error = await collective.sum(new Float32Array(10)).catch((error: unknown) => error as Error);
  process.stdout.write(`rank ${collective.rank}: ${error?.message}\n`);
}
collective.leave();
process.exitCode = 3;
