import { f16BitsToNumber, nothingOverflowed, numberToF16Bits, writeBfloat16, type FloatDtype } from "@kto/tensor";
import { indices, type OracleCase } from "../check/case.js";

/** Every bf16 number that is finite in f32, and in f16 if `fits`; the first `count` of them. */
function finiteBits(fits: boolean, count = 65_536): number[] {
  return Array.from({ length: 65_536 }, (_, bits) => bits)
    .filter((bits) => (bits & 0x7f80) < 0x7f80 && (!fits || Math.abs(toNumber(bits)) < 65_520))
    .slice(0, count);
}

function toNumber(bits: number): number {
  return new Float32Array(new Uint32Array([bits << 16]).buffer)[0]!;
}

/** Index of the first finite number that f16 rounds to an infinity. */
function firstOverflow(numbers: readonly number[]): number {
  const index = numbers.findIndex((number) => Number.isFinite(number) && (numberToF16Bits(number) & 0x7fff) === 0x7c00);
  return index < 0 ? nothingOverflowed : index;
}

function bfloat16Case(dtype: FloatDtype, bits: readonly number[]): OracleCase {
  const numbers = bits.map(toNumber);
  return {
    name: `writeBfloat16 ${bits.length} to ${dtype}`,
    inputs: { anywhere: indices([0]) },
    forward: () => ({
      values: Float64Array.from(numbers, (number) => (dtype === "f16" ? f16BitsToNumber(numberToF16Bits(number)) : number)),
      overflow: Float64Array.of(dtype === "f16" ? firstOverflow(numbers) : nothingOverflowed),
    }),
    run: ({ anywhere }) => {
      const { device } = anywhere!;
      const target = device.empty([bits.length], dtype);
      const overflow = device.tensor([nothingOverflowed], [1], "u32");
      const bytes = new Uint8Array(Uint16Array.from(bits).buffer);
      const half = Math.floor(bits.length / 4) * 2;
      writeBfloat16(bytes.subarray(0, 2 * half), { target, first: 0, firstOverflow: overflow, slot: 0 });
      writeBfloat16(bytes.subarray(2 * half), { target, first: half, firstOverflow: overflow, slot: 0 });
      return { values: target, overflow };
    },
    errorClass: "exact",
  };
}

/** The index of the first that does not fit, of several. */
function overflowCase(bits: readonly number[]): OracleCase {
  const { inputs, run, forward } = bfloat16Case("f16", bits);
  return {
    name: `writeBfloat16 overflow in ${bits.length}`,
    inputs,
    forward: () => ({ overflow: forward({})["overflow"]! }),
    run: (tensors) => ({ overflow: run(tensors)["overflow"]! }),
    errorClass: "exact",
  };
}

export const bfloat16Cases: OracleCase[] = [
  bfloat16Case("f32", finiteBits(false)),
  bfloat16Case("f16", finiteBits(true)),
  ...([1, 7] as const).flatMap((count) => [bfloat16Case("f32", finiteBits(true, count)), bfloat16Case("f16", finiteBits(true, count))]),
  overflowCase(finiteBits(false)),
  overflowCase([0x3f80, 0x7f80, 0x4000, 0x477f, 0xc780, 0x4780]), // 1, infinity, 2, 65280, −65536, 65536
];
