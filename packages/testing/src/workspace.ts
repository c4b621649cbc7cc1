// What tests of this repository share, by an entry that is not published.
export * from "./fixtures.js";
export { compileSources } from "./kernels/compile.js";
export { matrixGpu, plainGpu } from "./pretended-gpus.js";
export { mpirun, startRanks, type MpirunOutcome, type StartedRanks } from "./mpirun.js";
export { deepened, deepMark, type FuzzedReader, type MutatingReader, type Randomness } from "./fuzzed-reader.js";
export { readEvents, type ReadEvent } from "./read-events.js";
export * from "./trajectory.js";
