import { checksum as checksumOp } from "@kto/tensor";
import { indices, type Arrays, type OracleCase } from "../check/case.js";

const lanes = 16_384;

/** The two sums of each lane, over tensors one after another; of f16 the words hold two each, the last one half a word where the count is odd. */
function sums(tensors: readonly Uint32Array[]): Float64Array {
  const state = new Uint32Array(2 * lanes);
  for (const words of tensors) {
    words.forEach((word, index) => {
      const at = 2 * (index % lanes);
      let a = Math.imul(state[at]! ^ word, 0x9e3779b1) >>> 0;
      a = (a ^ (a >>> 15)) >>> 0;
      let b = Math.imul((state[at + 1]! + word + 1) >>> 0, 0x85ebca77) >>> 0;
      b = (b ^ (b >>> 13)) >>> 0;
      state.set([a, b], at);
    });
  }
  return Float64Array.from(state);
}

function checksumCase(name: string, first: number[], second: number[]): OracleCase {
  return {
    name: `checksum ${name}`,
    inputs: { first: indices(first), second: indices(second) },
    forward: ({ first: x, second: y }: Arrays) => ({ y: sums([Uint32Array.from(x!), Uint32Array.from(y!)]) }),
    run: ({ first: x, second: y }) => ({ y: checksumOp(x!.device, [x!, y!]) }),
    errorClass: "exact",
  };
}

export const checksumCases: OracleCase[] = [
  checksumCase("of a word and of three", [1], [2 ** 32 - 1, 0, 7]),
  checksumCase(
    "of more words than lanes",
    Array.from({ length: lanes + 3 }, (_, i) => (i * 2_654_435_761) % 2 ** 32),
    [5],
  ),
];
