import { segmentSum as segmentSumOp } from "@kto/tensor";
import { indices, Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** y[r] = sum of x over bounds[r] ≤ i < bounds[r + 1]. */
export function segmentSum({ x, bounds }: Arrays): Float64Array {
  return Float64Array.from({ length: bounds!.length - 1 }, (_, r) =>
    x!.subarray(bounds![r], bounds![r + 1]).reduce((sum, value) => sum + value, 0),
  );
}

/** dx[i] = dy of the range of i, 0 outside. */
export function segmentSumVjp({ x, bounds }: Arrays, dy: Float64Array): Arrays {
  const dx = new Float64Array(x!.length);
  dy.forEach((gradient, r) => dx.fill(gradient, bounds![r], bounds![r + 1]));
  return { x: dx };
}

function segmentSumCase(name: string, size: number, bounds: number[]): OracleCase {
  return {
    name: `segmentSum ${name}`,
    inputs: { x: new Numbers(size).input([size]), bounds: indices(bounds) },
    forward: (inputs) => ({ y: segmentSum(inputs) }),
    vjp: segmentSumVjp,
    run: ({ x, bounds: ends }) => ({ y: segmentSumOp(x!, ends!) }),
    errorClass: "rowReduction",
  };
}

export const segmentSumCases: OracleCase[] = [
  segmentSumCase("one element", 1, [0, 1]),
  segmentSumCase("empty ranges at start, middle and end", 20, [0, 0, 3, 3, 3, 20, 20]),
  segmentSumCase("elements outside all ranges", 12, [2, 5, 9]),
  segmentSumCase("long ranges", 3001, [0, 65, 1500, 3001]),
  segmentSumCase("nothing", 4, [0]),
];
