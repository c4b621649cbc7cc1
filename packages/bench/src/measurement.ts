import type { ByteDirectory } from "@kto/core";
import type { Device } from "@kto/tensor";
import type { BenchSize } from "./sizes.js";

/** One thing that was timed. */
export interface Measurement {
  /** What, with its sizes: "x·Wᵀ 2048 × 8960 × 1536". */
  name: string;
  /** Median of the repeats. */
  milliseconds: number;
  /** Floating-point operations a second, in 10¹². */
  tflops?: number;
  /** Read and written, in 10⁹ bytes a second. */
  gigabytesPerSecond?: number;
  /** That, as a share of the speed at which this device copies, measured in the same run. */
  shareOfCopy?: number;
  tokensPerSecond?: number;
  /** What another program needed for the same on such a device. */
  beside?: { program: string; milliseconds: number; date: string };
  /** What else is known: launches, bytes, rows. */
  facts?: Readonly<Record<string, number | undefined>>;
  /** What its time went to, hottest first. */
  kernels?: readonly { label: string; count: number; milliseconds: number }[];
}

/** What a case is run with. */
export interface BenchContext {
  /** The device; throws where the case said that it needs none. */
  readonly device: Device;
  readonly size: BenchSize;
  /** The model folder that was named. */
  readonly model: ByteDirectory | undefined;
  readonly signal: AbortSignal | undefined;
  /** Milliseconds of continuous work before anything is timed: a GPU that had nothing to do runs slower at first. */
  readonly warmUpMs: number;
  /** Bytes a second that the device reads and writes when it copies; measured once. */
  copySpeed(): Promise<number>;
}

/** A case of the bench. */
export interface BenchCase {
  readonly name: string;
  /** What it times, for help. */
  readonly about: string;
  readonly needs: { readonly device?: boolean; readonly model?: boolean };
  run(context: BenchContext): AsyncIterable<Measurement>;
}
