import { isKtoError, type ByteDirectory } from "@kto/core";
import type { Device } from "@kto/tensor";
import { copySpeed } from "./cases/kernels.js";
import { generationCase } from "./cases/generation.js";
import { ggufCase } from "./cases/gguf.js";
import { kernelsCase } from "./cases/kernels.js";
import { loadingCase } from "./cases/loading.js";
import { quantizingCase } from "./cases/quantizing.js";
import { stepCase } from "./cases/step.js";
import { tokenizingCase } from "./cases/tokenizing.js";
import type { BenchCase, BenchContext, Measurement } from "./measurement.js";
import { withFigures, type Figures } from "./figures.js";
import { benchSize, type BenchShape } from "./sizes.js";

/** Every case, in the order in which they run. */
export const benchCases: readonly BenchCase[] = [
  kernelsCase,
  stepCase,
  generationCase,
  quantizingCase,
  loadingCase,
  tokenizingCase,
  ggufCase,
];

/** What is timed, and how. */
export interface BenchOptions {
  /** Default: every case that has what it needs. */
  cases?: readonly BenchCase[] | undefined;
  /** Opens the device when a case needs one, once; the caller's to dispose. */
  openDevice(): Promise<Device>;
  /** Sizes of everything; default 1.5b, on a software adapter and without a device `tiny`. */
  shape?: BenchShape | undefined;
  /** Fewer sizes and repeats, for a first look. */
  quick?: boolean | undefined;
  /** The model folder of the cases that need one. */
  model?: ByteDirectory | undefined;
  /** What other programs needed for the same. */
  figures?: Figures | undefined;
  signal?: AbortSignal | undefined;
  /** Told of each case when it begins, and of each measurement when it is there. */
  onProgress?(name: string, measurement?: Measurement): void;
}

/** What came of a case. */
export interface CaseResult {
  case: string;
  /** Sizes it was run with. */
  shape: BenchShape;
  measurements: Measurement[];
  /** Why it ended before its end, or never began: no memory, no model. */
  problem?: string;
}

/** Warm-up of everything that is timed, in milliseconds. A data-centre GPU that was idle needs a third of a second to reach its clock rate. */
const warmUpMs = { usual: 350, quick: 100, software: 0 };

/**
 * Times one case after the other and gives the result of each. What is wrong with one, such as too little memory, is its `problem`, and the others go on.
 *
 * Throws what `openDevice` throws, and `signal.reason`.
 */
export async function* runBench({
  cases = benchCases,
  openDevice,
  quick = false,
  model,
  figures,
  signal,
  onProgress,
  ...options
}: BenchOptions): AsyncGenerator<CaseResult> {
  const device = cases.some(({ needs }) => needs.device) ? await openDevice() : undefined;
  const software = device?.capabilities.software ?? true;
  const shape = options.shape ?? (software ? "tiny" : "1.5b");
  const size = benchSize(shape, { quick });
  let copied: Promise<number> | undefined;
  const context: BenchContext = {
    get device() {
      return device!;
    },
    size,
    model,
    signal,
    warmUpMs: software ? warmUpMs.software : quick ? warmUpMs.quick : warmUpMs.usual,
    copySpeed: () => (copied ??= copySpeed(context)),
  };
  for (const one of cases) {
    signal?.throwIfAborted();
    const result: CaseResult = { case: one.name, shape, measurements: [] };
    onProgress?.(one.name);
    if (one.needs.model && !model) result.problem = `${one.name}: it needs a model; expected a model folder, got none`;
    else
      try {
        for await (const found of one.run(context)) {
          const measurement = withFigures(found, figures, device && nameOf(device));
          result.measurements.push(measurement);
          onProgress?.(one.name, measurement);
        }
      } catch (error) {
        if (signal?.aborted || !isKtoError(error) || error.code === "DEVICE_LOST") throw error;
        result.problem = error.message;
      }
    yield result;
    await device?.memory.trim();
  }
}

/** What the driver calls the device. */
function nameOf({ gpuDevice, capabilities }: Device): string {
  return (gpuDevice as GPUDevice & { adapterInfo?: GPUAdapterInfo }).adapterInfo?.device || capabilities.description;
}
