import { setImmediate, setTimeout } from "node:timers/promises";
import type { Mpi, Request } from "./library/load-mpi.js";

/**
 * What a request waits for: `others` to come to the same call, which may take minutes and must not cost a core; or `data` that is on its way, which moves
 * only while MPI is asked.
 */
export type WaitsFor = "others" | "data";

/** For how long MPI is asked in every turn of Node's event loop, in milliseconds, before it is asked once a millisecond. */
const eagerMs: Record<WaitsFor, number> = { others: 2, data: 250 };

/**
 * Resolves to `held` when MPI has done a request. Node's event loop turns between two questions. `held` is what the request reads and writes: until then it is
 * reachable, so that nobody else is given its memory.
 */
export async function done<Held>(mpi: Pick<Mpi, "test">, request: Request, waitsFor: WaitsFor, held: Held): Promise<Held> {
  const eagerUntil = performance.now() + eagerMs[waitsFor];
  while (!mpi.test(request)) await (performance.now() < eagerUntil ? setImmediate() : setTimeout(1));
  return held;
}
