import { CapabilityError } from "@kto/core";
import type { Capabilities } from "../device/capabilities.js";
import type { Device } from "../device/device.js";
import { declareVariants } from "../device/forced-variants.js";

/** One way to compute an op: a set of kernels, chosen and forced as one variant of a kernel is. `P` is what the choice depends on. */
export interface Way<P, R> {
  name: string;
  /** What this way would need, as "expected …, got …", where it cannot compute the op at all, forced or not; undefined where it can. Default: it can. */
  lacks?(capabilities: Capabilities, problem: P): string | undefined;
  /** True where it is taken unless another is forced. */
  when(capabilities: Capabilities, problem: P): boolean;
  /** What records its kernels. */
  record: R;
}

/** The ways of an op, most demanding first. */
export interface OpWays<P, R> {
  readonly op: string;
  readonly ways: readonly Way<P, R>[];
  /** The forced way, or the first that fits. Throws CapabilityError if that one cannot compute the op, or none fits. */
  choose(device: Device, problem: P): Way<P, R>;
}

/** The ways of every op that has some, for tests of each. */
export const wayRegistry: Map<string, OpWays<never, unknown>> = new Map();

/** Declares the ways of an op. */
export function defineWays<P, R>(op: string, ways: readonly Way<P, R>[]): OpWays<P, R> {
  declareVariants(
    "op",
    op,
    ways.map(({ name }) => name),
  );
  const defined: OpWays<P, R> = {
    op,
    ways,
    choose({ capabilities, recorder }, problem) {
      const forced = recorder.variants.get(op);
      const candidates = forced === undefined ? ways : ways.filter(({ name }) => name === forced);
      const chosen = candidates.find(
        (way) => !way.lacks?.(capabilities, problem) && (forced !== undefined || way.when(capabilities, problem)),
      );
      if (chosen) return chosen;
      const lacking = candidates.map((way) => `${way.name}: ${way.lacks?.(capabilities, problem) ?? "not for this"}`).join("; ");
      throw new CapabilityError(
        forced === undefined
          ? `${op}: no way to compute this on "${capabilities.description}"; ${lacking}`
          : `${op}: the way that variants forces cannot compute this; ${lacking}; force another, or none`,
      );
    },
  };
  wayRegistry.set(op, defined);
  return defined;
}
