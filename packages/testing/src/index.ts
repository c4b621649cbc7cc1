export * from "./fixtures.js";
export { deepened, deepMark, type FuzzedReader, type MutatingReader, type Randomness } from "./fuzzed-reader.js";
export * from "./tolerances.js";
export * from "./trajectory.js";
export { readEvents, type ReadEvent } from "./read-events.js";
