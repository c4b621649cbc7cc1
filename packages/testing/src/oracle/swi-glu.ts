import { swiGlu as swiGluOp, type FloatDtype } from "@kto/tensor";
import { Numbers, type Arrays, type OracleCase } from "../check/case.js";

/** y = gate · sigmoid(gate) · up. */
export function swiGlu({ gate, up }: Arrays): Float64Array {
  return gate!.map((g, i) => g * sigmoid(g) * up![i]!);
}

/** dGate = dy · up · s · (1 + gate · (1 − s));  dUp = dy · gate · s;  s = sigmoid(gate). */
export function swiGluVjp({ gate, up }: Arrays, dy: Float64Array): Arrays {
  return {
    gate: gate!.map((g, i) => dy[i]! * up![i]! * sigmoid(g) * (1 + g * sigmoid(-g))),
    up: gate!.map((g, i) => dy[i]! * g * sigmoid(g)),
  };
}

function sigmoid(x: number): number {
  return 1 / (1 + Math.exp(-x));
}

function swiGluCase(
  size: number,
  { inputType = "f32", dtype = "f32", scale = 1 }: { inputType?: FloatDtype; dtype?: FloatDtype; scale?: number } = {},
): OracleCase {
  const numbers = new Numbers(size);
  return {
    name: `swiGlu ${size} ${inputType} → ${dtype}${scale === 1 ? "" : `, scale ${scale}`}`,
    inputs: { gate: numbers.input([size], { dtype: inputType, scale }), up: numbers.input([size], { dtype: inputType }) },
    forward: (inputs) => ({ y: swiGlu(inputs) }),
    vjp: swiGluVjp,
    run: ({ gate, up }) => ({ y: swiGluOp(gate!, up!, { dtype }) }),
    errorClass: "elementwise",
    storage: dtype,
    gradientStorage: inputType,
  };
}

export const swiGluCases: OracleCase[] = [
  swiGluCase(1),
  swiGluCase(65),
  swiGluCase(1000, { scale: 30 }), // e^90 would overflow
  swiGluCase(96, { inputType: "f16", dtype: "f16" }),
  swiGluCase(97, { inputType: "f16" }),
];
