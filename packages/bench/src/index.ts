export { readFigures, type Figures } from "./figures.js";
export type { BenchCase, BenchContext, Measurement } from "./measurement.js";
export { randomTensor } from "./numbers.js";
export { randomFourBitModel, randomModel } from "./random-model.js";
export { benchCases, runBench, type BenchOptions, type CaseResult } from "./run-bench.js";
export { benchShapes, benchSize, shape1b5, shape7b, type BenchShape, type BenchSize } from "./sizes.js";
export { medianMs, type TimingOptions } from "./timing.js";
