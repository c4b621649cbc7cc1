import { planRun, type PlannedMemory, type RunToPlan } from "./plan-run.js";

/** What the page asks, and what it is told. */
export interface PlanQuestion {
  id: number;
  run: RunToPlan;
}
export type PlanAnswer = { id: number } & ({ planned: PlannedMemory } | { problem: string });

// A rehearsal of a large model takes a second: it happens here, beside the page.
addEventListener("message", ({ data: { id, run } }: MessageEvent<PlanQuestion>) => {
  planRun(run).then(
    (planned) => postMessage({ id, planned } satisfies PlanAnswer),
    (error: unknown) => postMessage({ id, problem: error instanceof Error ? error.message : String(error) } satisfies PlanAnswer),
  );
});
