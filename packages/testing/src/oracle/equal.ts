import { equal as equalOp } from "@kto/tensor";
import { indices, Numbers, type OracleCase } from "../check/case.js";

function equalCase(name: string, a: number[], b: number[]): OracleCase {
  return {
    name: `equal ${name}`,
    inputs: { a: indices(a), b: indices(b) },
    forward: (inputs) => ({ y: inputs["a"]!.map((value, i) => (value === inputs["b"]![i] ? 1 : 0)) }),
    run: (inputs) => ({ y: equalOp(inputs["a"]!, inputs["b"]!) }),
    errorClass: "exact",
  };
}

const numbers = new Numbers(9);
const ids = (count: number): number[] => Array.from(numbers.ids(count, 3).data);

export const equalCases: OracleCase[] = [
  equalCase("one and one", [7], [7]),
  equalCase("large ids that f32 does not tell apart", [2 ** 24 + 1, 2 ** 31], [2 ** 24, 2 ** 31]),
  equalCase("131, more than a group", ids(131), ids(131)),
];
