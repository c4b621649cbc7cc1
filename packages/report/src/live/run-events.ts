import { pageData, pageFacts, shortRecord } from "../page-data.js";
import type { Run } from "../run/run.js";
import type { FollowedRun } from "./followed-run.js";
import { lastStates } from "./live-run.js";
import type { LiveEvent } from "./live-events.js";
import type { LiveRuns, WatchedRun } from "./live-runs.js";

/** What a page has been told of a run. */
interface Told {
  followed: FollowedRun;
  numRewrites: number;
  numChanges: number;
  numRecords: number;
  numEvaluations: number;
  isCut: boolean;
}

/** A page that hears nothing for so long hears that nothing is new. */
const aliveMs = 10_000;

/**
 * What a page that shows the runs of these names is told: each of them whole, and then what is new. It is made when it is asked for, so that a page that does not read
 * costs nothing and holds up nobody.
 */
export async function* runEvents(live: LiveRuns, names: readonly string[]): AsyncGenerator<LiveEvent> {
  const told = new Map<string, Told>();
  const before = new Map<string, string>();
  let lastAt = performance.now();
  live.arrive();
  for (;;) {
    const isLast = live.isClosed;
    const events = [{ type: "list", runs: await live.list() } as LiveEvent];
    for (const name of names) {
      const watched = await live.watch(name);
      if (watched) events.push(...newsOf(watched, told), { type: "status", name, status: watched.status });
      else told.delete(name);
    }
    for (const event of events) {
      if (event.type === "list" || event.type === "status") {
        const [key, text] = [event.type === "list" ? "" : `run ${event.name}`, JSON.stringify(event)];
        if (before.get(key) === text) continue;
        before.set(key, text);
      }
      lastAt = performance.now();
      yield event;
    }
    if (isLast) {
      if (await live.controlled()) yield { type: "end" };
      return;
    }
    if (performance.now() - lastAt >= aliveMs) {
      lastAt = performance.now();
      yield { type: "alive" };
    }
    await live.next();
  }
}

/** What is new of a run to a page that has been told so much. */
function newsOf({ name, followed, status }: WatchedRun, told: Map<string, Told>): LiveEvent[] {
  const known = told.get(name);
  const { numRewrites, numChanges, records, evaluations } = followed;
  const isOver = lastStates.has(status.state);
  const isCut = isOver && followed.hasRest;
  const run = (): Run => followed.run(name, { isOver });
  told.set(name, { followed, numRewrites, numChanges, numRecords: records.length, numEvaluations: evaluations.length, isCut });
  if (known?.followed !== followed || known.numRewrites !== numRewrites) return [{ type: "run", run: pageData([run()]).runs[0]! }];
  const events: LiveEvent[] = [];
  const rows = { records: records.slice(known.numRecords), evaluations: evaluations.slice(known.numEvaluations) };
  if (rows.records.length + rows.evaluations.length > 0)
    events.push({ type: "rows", name, records: rows.records.map(shortRecord), evaluations: rows.evaluations.map(shortRecord) });
  if (known.numChanges !== numChanges || known.isCut !== isCut) events.push({ type: "facts", name, facts: pageFacts(run()) });
  return events;
}
