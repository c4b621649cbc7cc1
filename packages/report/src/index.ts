export { RunFolderError } from "./errors.js";
export { type PageData, pageData, type PageRun, type PageSeries } from "./page-data.js";
export { reportHtml, type ReportOptions } from "./report-html.js";
export { evaluationsOf } from "./run/read-facts.js";
export { readRun, type ReadRunOptions } from "./run/read-run.js";
export { expectRuns, type RunFolder, runsIn } from "./run/run-folder.js";
export type { ConfigEntry, DataSummary, Metrics, Run, Sample, SampleToken } from "./run/run.js";
export { type Points, thin } from "./thin.js";
