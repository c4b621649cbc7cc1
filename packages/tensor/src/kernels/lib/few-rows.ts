import type { Capabilities } from "../../device/capabilities.js";
import { always, read, write, type Binding } from "../define-kernel.js";
import { wgsl } from "../wgsl.js";
import { aheadText, updateText } from "./few-rows-low-rank.js";
import { fewRowsResult, type FewRowsResult } from "./few-rows-result.js";
import { computeMain, oneGroupPer } from "./grid.js";
import { hasSoftwareSubgroupsOf4, hasSubgroupsOf32 } from "./subgroups.js";
import { unroll } from "./unroll.js";

/** What a product of few rows is specialised on, whatever its weights are stored as. */
export type FewRowsSpec = FewRowsResult & {
  /** As `x` is bound: four numbers, or eight of f16 as bits, which need no f16 of the device. */
  xElement: "vec4<f32>" | "vec4<u32>";
  /** Rows of x that are taken together: each is a copy of the code. */
  rows: 1 | 2 | 4 | 8;
  /** Teams of lanes that share the depth of their columns. */
  depthWays: number;
  /** Ranks of the low-rank updates of all matrices together, and of the one of most; 0 where there is none. */
  updateRanks: number;
  mostRanks: number;
  /** Loads of parts of h that a lane of subgroups has under way at once; 0 where there is no update. */
  partLoads: number;
  workgroupSize: number;
  /** Lanes of a team, which share its part of the depth. */
  width: number;
  /** How the sums of a team are added: in its registers, or with all others in workgroup memory. */
  reduce: "subgroup" | "plain";
};

/** Columns of a team: as many loads of weights under way at once. */
export const fewRowsColumns = 4;

/**
 * Rows that a product of this many takes together: each is a copy of the code, and with low-rank updates has sums for each of their ranks in workgroup memory,
 * of which some devices have 32 KiB.
 */
export function rowsTogether(m: number, updateRanks = 0): 1 | 2 | 4 | 8 {
  if (m <= 1 || updateRanks > 1024) return 1;
  if (m <= 2 || updateRanks > 512) return 2;
  return m <= 4 || updateRanks > 0 ? 4 : 8;
}

/**
 * Teams that share the depth of a column: enough that all of the weight is on its way at once, each with a step of the depth at least. Depends on the shape
 * of the weight alone, so that a row's sums are the same whatever rows are beside it.
 */
export function depthWaysFor(n: number, k: number): number {
  const depthOfStep = 8 * 32;
  const teamsOfDevice = 4096;
  let ways = 1;
  const teams = Math.ceil(n / fewRowsColumns);
  while (ways < 8 && teams * ways < teamsOfDevice && k >= 2 * depthOfStep * ways) ways *= 2;
  if (teams < 64 && k > depthOfStep * ways) return 8; // so few that nothing but the steps one after another counts
  return ways;
}

/** Bindings of every kernel of this kind. `weight` holds what the spec says, the others what their names say; those that have no part are not read. */
export const fewRowsBindings: Record<
  "x" | "norm" | "weight" | "bias" | "addend" | "h" | "b" | "y" | "ahead" | "aheadNorm" | "aheadParts",
  Binding
> = {
  x: read("xElement"),
  norm: read("vec4<f32>"),
  weight: read("weightElement"),
  bias: read("f32"),
  addend: read("f32"),
  h: read("vec4<f32>"),
  b: read("vec4<f32>"),
  y: write("dtype"),
  ahead: read("f32"),
  aheadNorm: read("f32"),
  aheadParts: write("f32"),
};

/** Which of them a spec has no use for. */
export function fewRowsUnused({
  hasNorm,
  hasBias,
  hasAddend,
  hasLowRank,
  aheadRanks,
  hasAheadNorm,
}: FewRowsResult): (keyof typeof fewRowsBindings)[] {
  return [
    ...(hasNorm ? [] : (["norm"] as const)),
    ...(hasBias ? [] : (["bias"] as const)),
    ...(hasAddend ? [] : (["addend"] as const)),
    ...(hasLowRank ? [] : (["h", "b"] as const)),
    ...(aheadRanks > 0 ? [] : (["ahead", "aheadParts"] as const)),
    ...(hasAheadNorm ? [] : (["aheadNorm"] as const)),
  ];
}

/**
 * Parameters of every kernel of this kind: sizes, the columns where the second and third matrix begin, where bias, ranks and b of each lie, in how many parts h
 * is, and the same of each a that the result is multiplied with.
 */
export const fewRowsParameters = {
  m: "u32",
  k: "u32",
  n: "u32",
  end0: "u32",
  end1: "u32",
  weight0: "u32",
  weight1: "u32",
  weight2: "u32",
  bias0: "u32",
  bias1: "u32",
  bias2: "u32",
  rank0: "u32",
  rank1: "u32",
  rank2: "u32",
  b0: "u32",
  b1: "u32",
  b2: "u32",
  eps: "f32",
  scale0: "f32",
  scale1: "f32",
  scale2: "f32",
  hParts: "u32",
  aheadEnd0: "u32",
  aheadEnd1: "u32",
  ahead0: "u32",
  ahead1: "u32",
  ahead2: "u32",
} as const;

/** Lanes of a workgroup of a device with subgroups. */
const lanesOfSubgroups = 256;

/** Loads that a lane has under way at once at most, of one row; of several rows each has some. */
const [mostLoads, mostLoadsOfRows] = [12, 4];

/** Loads of `numParts` parts of h for each lane of such a workgroup, where each part has this many vectors for it. */
export function partLoadsFor(numParts: number, vectors: number, rows: number): number {
  const lanesOfPart = 2 ** Math.ceil(Math.log2(vectors));
  return Math.min(Math.ceil((numParts * lanesOfPart) / lanesOfSubgroups), rows === 1 ? mostLoads : mostLoadsOfRows);
}

/** How the lanes of a device are shared out. */
export const fewRowsVariants: {
  name: string;
  when(capabilities: Capabilities): boolean;
  spec: Pick<FewRowsSpec, "workgroupSize" | "width" | "reduce">;
}[] = [
  {
    name: "subgroup",
    when: hasSubgroupsOf32,
    spec: { workgroupSize: lanesOfSubgroups, width: 32, reduce: "subgroup" },
  },
  { name: "plain", when: ({ software }) => !software, spec: { workgroupSize: 128, width: 16, reduce: "plain" } },
  { name: "serial", when: always, spec: { workgroupSize: 16, width: 1, reduce: "plain" } },
  // Never chosen: the code of subgroups, for tests without a GPU.
  { name: "four", when: hasSoftwareSubgroupsOf4, spec: { workgroupSize: 32, width: 4, reduce: "subgroup" } },
];

export function fewRowsGrid({ m, n }: { m: number; n: number }, spec: FewRowsSpec): readonly [number, number, number] {
  return oneGroupPer(groupsOfColumns(n, spec) * Math.ceil(m / spec.rows));
}

/** Workgroups that share n columns of the result. */
export function groupsOfColumns(n: number, spec: FewRowsSpec): number {
  return Math.ceil(n / columnsOfGroup(spec));
}

/** Columns of the result that a workgroup has. */
function columnsOfGroup({
  workgroupSize,
  width,
  depthWays,
  swiGlu,
}: Pick<FewRowsSpec, "workgroupSize" | "width" | "depthWays" | "swiGlu">): number {
  return ((workgroupSize / width / depthWays) * fewRowsColumns) / (swiGlu ? 2 : 1);
}

/** `enable` lines of such a kernel. */
export function fewRowsEnables({ reduce }: FewRowsSpec): string[] {
  return reduce === "subgroup" ? ["enable subgroups;"] : [];
}

/**
 * The parts of such a kernel that know how weights are stored, each for column @c of a team. Its weights are those of the row of matrix `part@c` that begins at
 * element `start@c` of it, counted from its `weight0` to `weight2`.
 */
export interface FewRowsWeights {
  /** Functions and workgroup variables. */
  functions: string;
  /** Before the loop, by every lane, when the first weights are on their way. A barrier follows. */
  prepare: string;
  /** Declares `raw@c`, what is loaded of a step. */
  declare: string;
  /** Loads it for the eight weights from 8 · `next` on. */
  fetch: string;
  /** Makes `w@c_0` and `w@c_1`, eight weights, of `raw@c`. */
  decode: string;
  /** The same for what lanes of a team share of a step, from 8 · `base` on: all of them are there when it is decoded. */
  ofStep?: Pick<FewRowsWeights, "declare" | "fetch" | "decode"> | undefined;
}

/**
 * The whole kernel but for the weights. A team of `width` lanes has four columns, its lanes eight elements of the depth each in turn; `depthWays` teams share a
 * column. A weight is read once for `rows` rows, beside which nothing else counts, and a step ahead. The squares that a norm needs are summed along with the products, so that it
 * costs no pass of its own.
 */
export function fewRowsBody(spec: FewRowsSpec, { functions, prepare, declare, fetch, decode, ofStep }: FewRowsWeights): string {
  const { rows, depthWays, workgroupSize, width, swiGlu, hasNorm, reduce } = spec;
  const columns = fewRowsColumns;
  const ownColumns = swiGlu ? columns / 2 : columns; // of y
  const teams = workgroupSize / width;
  const perGroup = teams / depthWays;
  const sums = rows * columns + (hasNorm ? rows : 0); // of a team
  const shares = reduce === "subgroup" ? 1 : width; // of each
  const whole = (value: string): string => (reduce === "subgroup" ? `subgroupAdd(${value})` : value);
  const update = updateText(spec, columnsOfGroup(spec));
  const ahead = aheadText(spec, columnsOfGroup(spec));
  const take = wgsl`
    ${unroll(columns, decode, "@c")}
    {
      let next = min(at + ${width * depthWays}u, params.k / 8u - 1u);
      ${unroll(columns, fetch, "@c")}
    }`;
  const multiply = wgsl`
    ${unroll(rows, unroll(columns, "sum@r_@c += dot(x@r_0, w@c_0) + dot(x@r_1, w@c_1);", "@c"), "@r")}`;
  return wgsl`
    const SUMS = ${sums}u;
    const SHARES = ${depthWays * shares}u; // of a sum
    var<workgroup> shares: array<f32, ${teams * shares * sums}>;
    fn sumOf(share: u32, index: u32) -> f32 {
      var sum = 0.0;
      for (var i = 0u; i < SHARES; i++) { sum += shares[(share + i) * SUMS + index]; }
      return sum;
    }
    var<private> groupRow: u32; // the first row and column of the workgroup
    var<private> groupCol: u32;
    ${fewRowsResult(spec, rows, columns, update.functions)}
    ${ahead.functions}
    ${functions}

    ${computeMain(spec)} {
      let blocks = (params.m + ${rows - 1}u) / ${rows}u; // of rows, neighbours, so that weights come from the cache for all but the first
      let tile = foldedIndex(group, groups);
      let firstRow = tile % blocks * ${rows}u;
      let team = lane / ${width}u;
      let l = lane % ${width}u;
      let way = team % ${depthWays}u;
      groupRow = firstRow;
      groupCol = tile / blocks * ${perGroup * ownColumns}u;
      let firstCol = min(groupCol + team / ${depthWays}u * ${ownColumns}u, params.n - ${ownColumns}u);
      ${swiGlu ? gateAndUpStarts(columns) : partStarts(columns)}
      ${unroll(rows, "let xStart@i = min(firstRow + @iu, params.m - 1u) * params.k;")}
      ${unroll(rows, unroll(columns, "var sum@r_@c = 0.0;", "@c"), "@r")}
      ${hasNorm ? unroll(rows, "var square@i = 0.0;") : ""}
      ${unroll(columns, declare, "@c")}
      let first = way * ${width}u + l;
      {
        let next = min(first, params.k / 8u - 1u);
        ${unroll(columns, fetch, "@c")}
      }
      ${
        ofStep
          ? wgsl`
              ${ofStep.declare}
              {
                let base = way * ${width}u;
                ${ofStep.fetch}
              }`
          : ""
      }
      ${update.before}
      ${ahead.before}
      ${prepare}
      ${update.prepared}
      ${prepare + update.prepared === "" ? "" : "workgroupBarrier();"}
      ${ofStep ? evenSteps(spec, ofStep, { take, multiply }) : steps(spec, { take, multiply })}
      ${unroll(rows, unroll(columns, `let whole@r_@c = ${whole("sum@r_@c")};`, "@c"), "@r")}
      ${hasNorm ? unroll(rows, `let squares@i = ${whole("square@i")};`) : ""}
      let share = ${reduce === "subgroup" ? "team" : "lane"} * SUMS;
      if (${reduce === "subgroup" ? "l == 0u" : "true"}) {
        ${unroll(rows, unroll(columns, `shares[share + @ru * ${columns}u + @cu] = whole@r_@c;`, "@c"), "@r")}
        ${hasNorm ? unroll(rows, `shares[share + ${rows * columns}u + @iu] = squares@i;`) : ""}
      }
      ${update.after}
      ${ahead.after}
      workgroupBarrier();
      ${update.last}
      for (var place = lane; place < ${perGroup * rows * ownColumns}u; place += WORKGROUP_SIZE) {
        let c = place % ${ownColumns}u;
        let r = place / ${ownColumns}u % ${rows}u;
        let team = place / ${ownColumns * rows}u;
        let row = firstRow + r;
        let col = groupCol + team * ${ownColumns}u + c;
        ${writePlace(spec, perGroup * ownColumns)}
      }
      ${ahead.last}
    }`;
}

/** One element of the result, also to where it is multiplied with what comes next. */
function writePlace({ aheadRanks }: FewRowsSpec, columns: number): string {
  const write = "writeResult(team * SHARES, r, c, row, col)";
  if (aheadRanks === 0) return `if (row < params.m && col < params.n) { ${write}; }`;
  return wgsl`
    var value = 0.0;
    if (row < params.m && col < params.n) { value = ${write}; }
    outcome[r * ${columns}u + col - groupCol] = value;`;
}

/** What a lane does with eight elements of the depth, once those of x are on their way: decodes weights and fetches the next, and multiplies. */
interface Step {
  take: string;
  multiply: string;
}

/** As many steps as a lane has. */
function steps(spec: FewRowsSpec, { take, multiply }: Step): string {
  return wgsl`
    for (var at = first; at < params.k / 8u; at += ${spec.width * spec.depthWays}u) {
      ${loadRows(spec)}
      ${take}
      ${multiply}
    }`;
}

/** As many steps for every lane, so that the lanes of a team are together where they share what they decode: past the depth x is 0. */
function evenSteps(spec: FewRowsSpec, ofStep: NonNullable<FewRowsWeights["ofStep"]>, { take, multiply }: Step): string {
  const lanes = spec.width * spec.depthWays;
  return wgsl`
    for (var step = 0u; step < (params.k / 8u + ${lanes - 1}u) / ${lanes}u; step++) {
      let at = first + step * ${lanes}u;
      ${loadRows(spec, { isEven: true })}
      ${ofStep.decode}
      ${take}
      {
        let base = at - l + ${lanes}u;
        ${ofStep.fetch}
      }
      ${multiply}
    }`;
}

/** The columns of a team in the one matrix that it works on: sizes of matrices are multiples of its columns. */
function partStarts(columns: number): string {
  return wgsl`
    let part = u32(firstCol >= params.end0) + u32(firstCol >= params.end1);
    let partStart = chosen(part, params.weight0, params.weight1, params.weight2) + (firstCol - chosen(part, 0u, params.end0, params.end1)) * params.k;
    ${unroll(columns, "let part@i = part;")}
    ${unroll(columns, "let start@i = partStart + @iu * params.k;")}`;
}

/** The first half of the columns of a team is of the gate, the second the same ones of up. */
function gateAndUpStarts(columns: number): string {
  const text = wgsl`
    let part@i = @part;
    let start@i = params.weight@part + (firstCol + @col) * params.k;`;
  return unroll(columns, text.replace("= @part;", "= @partu;"), "@i", {
    "@part": (c) => String(Math.floor(c / (columns / 2))),
    "@col": (c) => `${c % (columns / 2)}u`,
  });
}

/** x@r_0 and x@r_1: eight numbers of each row from 8 · `at` on, times the norm's weight; with `isEven` zeros past the depth. */
function loadRows({ rows, xElement, hasNorm }: FewRowsSpec, { isEven = false }: { isEven?: boolean } = {}): string {
  const place = isEven ? "min(at, params.k / 8u - 1u)" : "at";
  const inside = (value: string, zero: string): string => (isEven ? `select(${zero}, ${value}, isInside)` : value);
  const load =
    xElement === "vec4<u32>"
      ? wgsl`
          let xBits@r = ${inside("x[xStart@r / 8u + place]", "vec4<u32>()")};
          var x@r_0 = vec4<f32>(unpack2x16float(xBits@r.x), unpack2x16float(xBits@r.y));
          var x@r_1 = vec4<f32>(unpack2x16float(xBits@r.z), unpack2x16float(xBits@r.w));`
      : wgsl`
          var x@r_0 = ${inside("x[xStart@r / 4u + 2u * place]", "vec4<f32>()")};
          var x@r_1 = ${inside("x[xStart@r / 4u + 2u * place + 1u]", "vec4<f32>()")};`;
  const loads = hasNorm
    ? wgsl`
        let norm0 = norm[2u * place];
        let norm1 = norm[2u * place + 1u];
        ${unroll(
          rows,
          wgsl`
            ${load}
            square@r += dot(x@r_0, x@r_0) + dot(x@r_1, x@r_1);
            x@r_0 *= norm0;
            x@r_1 *= norm1;`,
          "@r",
        )}`
    : unroll(rows, load, "@r");
  return wgsl`
    let place = ${place};
    ${isEven ? "let isInside = at < params.k / 8u;" : ""}
    ${loads}`;
}
