import { sort as sortOp } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase, type OpInput } from "../check/case.js";

/** Where each element comes from, in ascending order; equal ones keep theirs. */
function order(x: Float64Array): number[] {
  return Array.from(x.keys()).sort((a, b) => x[a]! - x[b]! || a - b);
}

/** y = x in ascending order. */
export function sort({ x }: Arrays): Float64Array {
  return Float64Array.from(order(x!), (source) => x![source]!);
}

/** dx of the element that y[i] came from = dy[i]. */
export function sortVjp({ x }: Arrays, dy: Float64Array): Arrays {
  const dx = new Float64Array(x!.length);
  order(x!).forEach((source, i) => (dx[source] = dy[i]!));
  return { x: dx };
}

function sortCase(name: string, x: OpInput): OracleCase {
  return {
    name: `sort ${name}`,
    inputs: { x },
    forward: (inputs) => ({ y: sort(inputs) }),
    vjp: sortVjp,
    run: (inputs) => ({ y: sortOp(inputs["x"]!) }),
    errorClass: "exact",
  };
}

const numbers = new Numbers(3);
const spread = Float64Array.from({ length: 131 }, (_, i) => (((i * 37) % 131) - 65) / 8); // apart enough for differences
const ties = Float64Array.from([2, -1, 2, 0.5, -1, -1, 3, 2]);

export const sortCases: OracleCase[] = [
  sortCase("1", numbers.input([1])),
  sortCase("7, both signs", numbers.input([7], { scale: 100 })),
  sortCase("131, more than a group", { data: spread, shape: [spread.length], dtype: "f32", needsGradient: true }),
  sortCase("ties, where it has no derivative", { data: ties, shape: [ties.length], dtype: "f32", needsGradient: false }),
];
