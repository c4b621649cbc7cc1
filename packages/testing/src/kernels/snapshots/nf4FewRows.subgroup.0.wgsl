enable subgroups;
struct Params {
  m: u32,
  k: u32,
  n: u32,
  end0: u32,
  end1: u32,
  weight0: u32,
  weight1: u32,
  weight2: u32,
  bias0: u32,
  bias1: u32,
  bias2: u32,
  rank0: u32,
  rank1: u32,
  rank2: u32,
  b0: u32,
  b1: u32,
  b2: u32,
  eps: f32,
  scale0: f32,
  scale1: f32,
  scale2: f32,
  hParts: u32,
  aheadEnd0: u32,
  aheadEnd1: u32,
  ahead0: u32,
  ahead1: u32,
  ahead2: u32,
  codes0: u32,
  codes1: u32,
  codes2: u32,
  absmax0: u32,
  absmax1: u32,
  absmax2: u32,
  nested0: u32,
  nested1: u32,
  nested2: u32,
  offset0: f32,
  offset1: f32,
  offset2: f32,
  tables: u32,
  blockShift: u32,
  zero: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> norm: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> weight: array<u32>;
@group(0) @binding(4) var<storage, read> bias: array<f32>;
@group(0) @binding(5) var<storage, read_write> y: array<f32>;
const WORKGROUP_SIZE = 256u;
const WIDTH = 32u;
const NESTED = true;
alias Dtype = f32;
const EVEN_BLOCKS = true;
const UPDATE_RANKS = 0u;
const MOST_RANKS = 0u;
const PART_LOADS = 0u;
const HAS_NORM = true;
const HAS_BIAS = true;
const HAS_ADDEND = false;
const HAS_LOW_RANK = false;
const SWI_GLU = false;
const IS_UPDATE_NORMED = true;
const AHEAD_RANKS = 0u;
const HAS_AHEAD_NORM = false;
const ROWS = 1u;
const DEPTH_WAYS = 1u;

const SUMS = 5u;
const SHARES = 1u; // of a sum
var<workgroup> shares: array<f32, 40>;
fn sumOf(share: u32, index: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < SHARES; i++) { sum += shares[(share + i) * SUMS + index]; }
  return sum;
}
var<private> groupRow: u32; // the first row and column of the workgroup
var<private> groupCol: u32;
fn chosen(part: u32, first: u32, second: u32, third: u32) -> u32 { return select(select(first, second, part == 1u), third, part == 2u); }


// Of one matrix: column `c` of a team, `col` of part `part`.
fn resultOf(share: u32, r: u32, c: u32, part: u32, row: u32, col: u32) -> f32 {
  var value = sumOf(share, r * 4u + c);
  
  value *= inverseSqrt(sumOf(share, 4u + r) / f32(params.k) + params.eps);
  value += bias[chosen(part, params.bias0, params.bias1, params.bias2) + col];
  
  return value;
}
fn writeResult(share: u32, r: u32, c: u32, row: u32, col: u32) -> f32 {
  let part = u32(col >= params.end0) + u32(col >= params.end1);
  var value = resultOf(share, r, c, part, row, col - chosen(part, 0u, params.end0, params.end1));
  
  y[row * params.n + col] = Dtype(value);
  return value;
}

var<workgroup> codeTable: array<f32, 512>;
var<workgroup> scaleTable: array<f32, 256>;
fn loadTables(lane: u32) {
  for (var i = lane; i < 512u; i += WORKGROUP_SIZE) { codeTable[i] = bitcast<f32>(weight[params.tables + 0u + i / 32u]); }
  for (var i = lane; i < 256u; i += WORKGROUP_SIZE) { scaleTable[i] = bitcast<f32>(weight[params.tables + 32u + i]); }
}
fn rawScaleOf(part: u32, block: u32) -> vec2<u32> {
  let start = chosen(part, params.absmax0, params.absmax1, params.absmax2);
  let code = (weight[start + block / 4u] >> (8u * (block % 4u))) & 255u;
  return vec2<u32>(code, weight[chosen(part, params.nested0, params.nested1, params.nested2) + block / 256u]);
}
fn scaleOf(part: u32, raw: vec2<u32>) -> f32 {
  let product = scaleTable[raw.x] * bitcast<f32>(raw.y);
  let offset = select(select(params.offset0, params.offset1, part == 1u), params.offset2, part == 2u);
  // Rounded before it is added to: with an unknown zero between them the two cannot become one fused operation.
  return bitcast<f32>(bitcast<u32>(product) ^ params.zero) + offset;
}
fn weightOf(code: u32, scale: f32, copy: u32) -> f32 {
  let value = codeTable[code * 32u + copy] * scale;
  let bits = bitcast<u32>(value);
  return bitcast<f32>((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u);
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let blocks = (params.m + 0u) / 1u; // of rows, neighbours, so that weights come from the cache for all but the first
  let tile = foldedIndex(group, groups);
  let firstRow = tile % blocks * 1u;
  let team = lane / 32u;
  let l = lane % 32u;
  let way = team % 1u;
  groupRow = firstRow;
  groupCol = tile / blocks * 32u;
  let firstCol = min(groupCol + team / 1u * 4u, params.n - 4u);
  let part = u32(firstCol >= params.end0) + u32(firstCol >= params.end1);
  let partStart = chosen(part, params.weight0, params.weight1, params.weight2) + (firstCol - chosen(part, 0u, params.end0, params.end1)) * params.k;
  let part0 = part;
  let part1 = part;
  let part2 = part;
  let part3 = part;
  let start0 = partStart + 0u * params.k;
  let start1 = partStart + 1u * params.k;
  let start2 = partStart + 2u * params.k;
  let start3 = partStart + 3u * params.k;
  let xStart0 = min(firstRow + 0u, params.m - 1u) * params.k;
  var sum0_0 = 0.0;
  var sum0_1 = 0.0;
  var sum0_2 = 0.0;
  var sum0_3 = 0.0;
  var square0 = 0.0;
  var raw0: u32;
  var raw1: u32;
  var raw2: u32;
  var raw3: u32;
  let first = way * 32u + l;
  {
    let next = min(first, params.k / 8u - 1u);
    raw0 = weight[chosen(part0, params.codes0, params.codes1, params.codes2) + start0 / 8u + next];
    raw1 = weight[chosen(part1, params.codes0, params.codes1, params.codes2) + start1 / 8u + next];
    raw2 = weight[chosen(part2, params.codes0, params.codes1, params.codes2) + start2 / 8u + next];
    raw3 = weight[chosen(part3, params.codes0, params.codes1, params.codes2) + start3 / 8u + next];
  }
  let placeOfLane = subgroupExclusiveAdd(1u);
  let columnOfLane = placeOfLane / 4u % 4u;
  let partOfLane = select(select(part0, part1, columnOfLane == 1u), select(part2, part3, columnOfLane == 3u), columnOfLane >= 2u);
  let startOfLane = select(select(start0, start1, columnOfLane == 1u), select(start2, start3, columnOfLane == 3u), columnOfLane >= 2u);
  var rawScale: vec2<u32>;
  {
    let base = way * 32u;
    rawScale = rawScaleOf(partOfLane, startOfLane / 64u + min(base / 8u + placeOfLane % 4u, params.k / 64u - 1u));
  }
  
  
  loadTables(lane);
  let copy = lane % 32u;
  
  workgroupBarrier();
  for (var step = 0u; step < (params.k / 8u + 31u) / 32u; step++) {
    let at = first + step * 32u;
    let place = min(at, params.k / 8u - 1u);
    let isInside = at < params.k / 8u;
    let norm0 = norm[2u * place];
    let norm1 = norm[2u * place + 1u];
    var x0_0 = select(vec4<f32>(), x[xStart0 / 4u + 2u * place], isInside);
    var x0_1 = select(vec4<f32>(), x[xStart0 / 4u + 2u * place + 1u], isInside);
    square0 += dot(x0_0, x0_0) + dot(x0_1, x0_1);
    x0_0 *= norm0;
    x0_1 *= norm1;
    let scaleOfLane = scaleOf(partOfLane, rawScale);
    let scale0 = subgroupShuffle(scaleOfLane, 4u * 0u + l / 8u);
    let w0_0 = vec4<f32>(weightOf((raw0 >> 4u) & 15u, scale0, copy), weightOf((raw0 >> 0u) & 15u, scale0, copy), weightOf((raw0 >> 12u) & 15u, scale0, copy), weightOf((raw0 >> 8u) & 15u, scale0, copy));
    let w0_1 = vec4<f32>(weightOf((raw0 >> 20u) & 15u, scale0, copy), weightOf((raw0 >> 16u) & 15u, scale0, copy), weightOf((raw0 >> 28u) & 15u, scale0, copy), weightOf((raw0 >> 24u) & 15u, scale0, copy));
    let scale1 = subgroupShuffle(scaleOfLane, 4u * 1u + l / 8u);
    let w1_0 = vec4<f32>(weightOf((raw1 >> 4u) & 15u, scale1, copy), weightOf((raw1 >> 0u) & 15u, scale1, copy), weightOf((raw1 >> 12u) & 15u, scale1, copy), weightOf((raw1 >> 8u) & 15u, scale1, copy));
    let w1_1 = vec4<f32>(weightOf((raw1 >> 20u) & 15u, scale1, copy), weightOf((raw1 >> 16u) & 15u, scale1, copy), weightOf((raw1 >> 28u) & 15u, scale1, copy), weightOf((raw1 >> 24u) & 15u, scale1, copy));
    let scale2 = subgroupShuffle(scaleOfLane, 4u * 2u + l / 8u);
    let w2_0 = vec4<f32>(weightOf((raw2 >> 4u) & 15u, scale2, copy), weightOf((raw2 >> 0u) & 15u, scale2, copy), weightOf((raw2 >> 12u) & 15u, scale2, copy), weightOf((raw2 >> 8u) & 15u, scale2, copy));
    let w2_1 = vec4<f32>(weightOf((raw2 >> 20u) & 15u, scale2, copy), weightOf((raw2 >> 16u) & 15u, scale2, copy), weightOf((raw2 >> 28u) & 15u, scale2, copy), weightOf((raw2 >> 24u) & 15u, scale2, copy));
    let scale3 = subgroupShuffle(scaleOfLane, 4u * 3u + l / 8u);
    let w3_0 = vec4<f32>(weightOf((raw3 >> 4u) & 15u, scale3, copy), weightOf((raw3 >> 0u) & 15u, scale3, copy), weightOf((raw3 >> 12u) & 15u, scale3, copy), weightOf((raw3 >> 8u) & 15u, scale3, copy));
    let w3_1 = vec4<f32>(weightOf((raw3 >> 20u) & 15u, scale3, copy), weightOf((raw3 >> 16u) & 15u, scale3, copy), weightOf((raw3 >> 28u) & 15u, scale3, copy), weightOf((raw3 >> 24u) & 15u, scale3, copy));
    {
      let next = min(at + 32u, params.k / 8u - 1u);
      raw0 = weight[chosen(part0, params.codes0, params.codes1, params.codes2) + start0 / 8u + next];
      raw1 = weight[chosen(part1, params.codes0, params.codes1, params.codes2) + start1 / 8u + next];
      raw2 = weight[chosen(part2, params.codes0, params.codes1, params.codes2) + start2 / 8u + next];
      raw3 = weight[chosen(part3, params.codes0, params.codes1, params.codes2) + start3 / 8u + next];
    }
    {
      let base = at - l + 32u;
      rawScale = rawScaleOf(partOfLane, startOfLane / 64u + min(base / 8u + placeOfLane % 4u, params.k / 64u - 1u));
    }
    sum0_0 += dot(x0_0, w0_0) + dot(x0_1, w0_1);
    sum0_1 += dot(x0_0, w1_0) + dot(x0_1, w1_1);
    sum0_2 += dot(x0_0, w2_0) + dot(x0_1, w2_1);
    sum0_3 += dot(x0_0, w3_0) + dot(x0_1, w3_1);
  }
  let whole0_0 = subgroupAdd(sum0_0);
  let whole0_1 = subgroupAdd(sum0_1);
  let whole0_2 = subgroupAdd(sum0_2);
  let whole0_3 = subgroupAdd(sum0_3);
  let squares0 = subgroupAdd(square0);
  let share = team * SUMS;
  if (l == 0u) {
    shares[share + 0u * 4u + 0u] = whole0_0;
    shares[share + 0u * 4u + 1u] = whole0_1;
    shares[share + 0u * 4u + 2u] = whole0_2;
    shares[share + 0u * 4u + 3u] = whole0_3;
    shares[share + 4u + 0u] = squares0;
  }
  
  
  workgroupBarrier();
  
  for (var place = lane; place < 32u; place += WORKGROUP_SIZE) {
    let c = place % 4u;
    let r = place / 4u % 1u;
    let team = place / 4u;
    let row = firstRow + r;
    let col = groupCol + team * 4u + c;
    if (row < params.m && col < params.n) { writeResult(team * SHARES, r, c, row, col); }
  }
  
}
