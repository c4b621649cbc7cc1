import { tilePitch, times, wgsl, type FewRowsWeights, type MatrixWeights } from "@kto/tensor";
import { tableOffsets } from "../../tables.js";
import type { WeightDtype } from "../../weight-dtype.js";

/** What products of few rows with four-bit weights are specialised on beside the rest. */
export type CodesSpec = {
  weightElement: "u32";
  /** Dtype that a weight is rounded to. */
  weightType: WeightDtype;
  /** The scales are 8-bit codes themselves. */
  nested: boolean;
};

/** Where the parts of three weights lie in the one buffer that holds them all, in words, and what else a decoder needs. */
export const codesParameters = {
  codes0: "u32",
  codes1: "u32",
  codes2: "u32",
  absmax0: "u32",
  absmax1: "u32",
  absmax2: "u32",
  nested0: "u32",
  nested1: "u32",
  nested2: "u32",
  offset0: "f32",
  offset1: "f32",
  offset2: "f32",
  tables: "u32",
  blockShift: "u32",
  zero: "u32",
} as const;

/** Copies of the table of codes in workgroup memory: a lane has its own, in a bank of its own. */
const copies = 32;

/** Bytes of workgroup memory that the tables take at most. */
export const codeTableBytes: number = 4 * (16 * copies + 256);

/**
 * `fn rawScaleOf(part: u32, block: u32) -> vec2<u32>`, what is stored of a scale, `fn scaleOf(part: u32, raw: vec2<u32>) -> f32`, what it is, as `decodeFunctions` has it, and `fn weightOf(code: u32, scale: f32, copy: u32) -> f32`, code · scale rounded to the weight's
 * dtype, from `weight`, which holds everything of up to three weights. Needs `chosen` of the kernels for few rows.
 */
export function codesFunctions({ weightType, nested }: CodesSpec): string {
  return wgsl`
    var<workgroup> codeTable: array<f32, ${16 * copies}>;
    ${nested ? "var<workgroup> scaleTable: array<f32, 256>;" : ""}
    fn loadTables(lane: u32) {
      for (var i = lane; i < ${16 * copies}u; i += WORKGROUP_SIZE) { codeTable[i] = bitcast<f32>(weight[params.tables + ${tableOffsets.codes}u + i / ${copies}u]); }
      ${nested ? `for (var i = lane; i < 256u; i += WORKGROUP_SIZE) { scaleTable[i] = bitcast<f32>(weight[params.tables + ${tableOffsets.nested}u + i]); }` : ""}
    }
    fn rawScaleOf(part: u32, block: u32) -> vec2<u32> {
      let start = chosen(part, params.absmax0, params.absmax1, params.absmax2);
      ${
        nested
          ? wgsl`
              let code = (weight[start + block / 4u] >> (8u * (block % 4u))) & 255u;
              return vec2<u32>(code, weight[chosen(part, params.nested0, params.nested1, params.nested2) + block / 256u]);`
          : "return vec2<u32>(weight[start + block], 0u);"
      }
    }
    fn scaleOf(part: u32, raw: vec2<u32>) -> f32 {
      ${
        nested
          ? wgsl`
              let product = scaleTable[raw.x] * bitcast<f32>(raw.y);
              let offset = select(select(params.offset0, params.offset1, part == 1u), params.offset2, part == 2u);
              // Rounded before it is added to: with an unknown zero between them the two cannot become one fused operation.
              return bitcast<f32>(bitcast<u32>(product) ^ params.zero) + offset;`
          : "return bitcast<f32>(raw.x);"
      }
    }
    fn weightOf(code: u32, scale: f32, copy: u32) -> f32 {
      let value = codeTable[code * ${copies}u + copy] * scale;
      ${rounded[weightType]}
    }`;
}

/** Finite numbers of a size that occurs: no infinities, no NaN. */
const rounded: Record<WeightDtype, string> = {
  float32: "return value;",
  float16: "return unpack2x16float(pack2x16float(vec2<f32>(value, 0.0))).x;",
  bfloat16: wgsl`
    let bits = bitcast<u32>(value);
    return bitcast<f32>((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u);`,
};

/** By every lane; the tables are there after a barrier. */
const loadCodes: string = wgsl`
  loadTables(lane);
  let copy = lane % ${copies}u;`;

/** By every lane, before any weight. */
export const loadCodeTables: string = wgsl`
  ${loadCodes}
  workgroupBarrier();`;

/** The weights of a word, in their order: a byte holds two, the first in its high half. */
const shifts = [4, 0, 12, 8, 20, 16, 28, 24];

/**
 * Codes as `fewRowsBody` takes weights. Where eight lanes of a subgroup have a block of 64 between them, each scale of a step is made by one lane for them all,
 * which else is a quarter of the work.
 */
export function codesOfTeams(spec: CodesSpec, { sharedScales }: { sharedScales: boolean }): FewRowsWeights {
  const functions = codesFunctions(spec);
  return sharedScales ? { ...codesOfColumns, ...withSharedScales, functions } : { ...codesOfColumns, functions };
}

/** Codes, each with its scale: a word and its scale; the scale's table is in workgroup memory, so that it is made of its code when that is there. */
const codesOfColumns: Omit<FewRowsWeights, "functions"> = {
  prepare: loadCodes,
  declare: wgsl`
    var raw@c: u32;
    var rawScale@c: vec2<u32>;`,
  fetch: wgsl`
    raw@c = weight[chosen(part@c, params.codes0, params.codes1, params.codes2) + start@c / 8u + next];
    rawScale@c = rawScaleOf(part@c, (start@c + 8u * next) >> params.blockShift);`,
  decode: wgsl`
    let scale@c = scaleOf(part@c, rawScale@c);
    ${eightOfColumn()}`,
};

/** Four columns of four blocks each, in a step of 32 lanes: a lane by its place in the subgroup has one, and the one sixteen places on the same. */
const withSharedScales: Omit<FewRowsWeights, "functions" | "prepare"> = {
  declare: "var raw@c: u32;",
  fetch: "raw@c = weight[chosen(part@c, params.codes0, params.codes1, params.codes2) + start@c / 8u + next];",
  decode: wgsl`
    let scale@c = subgroupShuffle(scaleOfLane, 4u * @cu + l / 8u);
    ${eightOfColumn()}`,
  ofStep: {
    declare: wgsl`
      let placeOfLane = subgroupExclusiveAdd(1u);
      let columnOfLane = placeOfLane / 4u % 4u;
      let partOfLane = select(select(part0, part1, columnOfLane == 1u), select(part2, part3, columnOfLane == 3u), columnOfLane >= 2u);
      let startOfLane = select(select(start0, start1, columnOfLane == 1u), select(start2, start3, columnOfLane == 3u), columnOfLane >= 2u);
      var rawScale: vec2<u32>;`,
    fetch: "rawScale = rawScaleOf(partOfLane, startOfLane / 64u + min(base / 8u + placeOfLane % 4u, params.k / 64u - 1u));",
    decode: "let scaleOfLane = scaleOf(partOfLane, rawScale);",
  },
};

function eightOfColumn(): string {
  return wgsl`
    let w@c_0 = vec4<f32>(${fourOf("raw@c", "scale@c", 0)});
    let w@c_1 = vec4<f32>(${fourOf("raw@c", "scale@c", 4)});`;
}

/** Two neighbouring weights of a word of codes as f16, the first an even one. */
export function pairOfCodes(word: string, scale: string, first: number): string {
  const [low, high] = [first, first + 1].map((i) => `weightOf((${word} >> ${shifts[i]!}u) & 15u, ${scale}, copy)`);
  return `pack2x16float(vec2<f32>(${low}, ${high}))`;
}

function fourOf(word: string, scale: string, first: number): string {
  return shifts
    .slice(first, first + 4)
    .map((shift) => `weightOf((${word} >> ${shift}u) & 15u, ${scale}, copy)`)
    .join(", ");
}

/** Two lanes have a column of a tile, each half of its depth of 64, which is of one block. */
export const codesOfTiles: Pick<MatrixWeights, "prepare" | "declare" | "fetch" | "put"> = {
  prepare: loadCodeTables,
  declare: (tile) => wgsl`
    var next${tile}: vec4<u32>;
    var rawScale${tile}: vec2<u32>;
    var isWithin${tile}: bool;`,
  fetch: (tile) => wgsl`
    {
      let first = start${tile} + l / 2u * params.k + chunk * 64u;
      let word = chosen(part${tile}, params.codes0, params.codes1, params.codes2) + first / 8u + l % 2u * 4u;
      next${tile} = vec4<u32>(weight[word], weight[word + 1u], weight[word + 2u], weight[word + 3u]);
      rawScale${tile} = rawScaleOf(part${tile}, first >> params.blockShift);
      isWithin${tile} = isWithin;
    }`,
  put: (tile) => wgsl`
    let scale${tile} = select(0.0, scaleOf(part${tile}, rawScale${tile}), isWithin${tile});
    ${times(4, (word) => {
      const pairs = [0, 2, 4, 6].map((first) => pairOfCodes(`next${tile}[${word}]`, `scale${tile}`, first));
      return `tiles[place${tile} + l / 2u * ${tilePitch}u + l % 2u * 4u + ${word}u] = vec4<u32>(${pairs.join(", ")});`;
    })}`,
};
