export { createLiveApp, type LiveApp, type LiveAppOptions } from "./live/live-app.js";
export type { LiveRun, RunControl, RunState, RunStatus } from "./live/live-run.js";
export type { LiveRunsOptions } from "./live/live-runs.js";
export { type RunsServer, serveRuns, type ServeRunsOptions } from "./live/serve-runs.js";
