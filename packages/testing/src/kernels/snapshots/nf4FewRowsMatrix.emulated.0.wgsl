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
@group(0) @binding(1) var<storage, read> x: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> weight: array<u32>;
@group(0) @binding(3) var<storage, read> bias: array<f32>;
@group(0) @binding(4) var<storage, read_write> y: array<f32>;
const NESTED = true;
alias Dtype = f32;
const HAS_NORM = false;
const HAS_BIAS = true;
const HAS_ADDEND = false;
const HAS_LOW_RANK = false;
const SWI_GLU = false;
const IS_UPDATE_NORMED = true;
const AHEAD_RANKS = 0u;
const HAS_AHEAD_NORM = false;
const ROW_TILES = 1u;
const WORKGROUP_SIZE = 256u;

const SUBGROUPS = 8u;
const SUMS = 256u; // of a subgroup
var<workgroup> tiles: array<vec4<u32>, 2304>; // of columns, then of rows; in the end the sums
struct Left { row: array<vec4<f32>, 4> }
struct Right { rows: array<mat2x4<f32>, 16> }
struct Sum { row: mat2x4<f32> }
var<private> matrixLane: u32;
fn multiplyAdd(left: Left, right: Right, sum: Sum) -> Sum {
  var row = sum.row;
  for (var depth = 0u; depth < 16u; depth++) { row += left.row[depth / 4u][depth % 4u] * right.rows[depth]; }
  return Sum(row);
}
fn scaled(sum: Sum, factor: f32) -> Sum { return Sum(factor * sum.row); }
fn tilesEight(place: u32) -> mat2x4<f32> {
  let packed = tiles[place];
  return mat2x4<f32>(
    vec4<f32>(unpack2x16float(packed.x), unpack2x16float(packed.y)),
    vec4<f32>(unpack2x16float(packed.z), unpack2x16float(packed.w)),
  );
}
fn tilesLeft(offset: u32, stride: u32) -> Left {
  let place = offset + matrixLane / 2u * stride;
  let low = tilesEight(place);
  let high = tilesEight(place + 1u);
  return Left(array<vec4<f32>, 4>(low[0], low[1], high[0], high[1]));
}
fn tilesLeftOfColumns(offset: u32, stride: u32) -> Left {
  var matrix = Left();
  let row = matrixLane / 2u;
  for (var depth = 0u; depth < 16u; depth++) {
    let eight = tilesEight(offset + depth * stride + row / 8u);
    matrix.row[depth / 4u][depth % 4u] = eight[row / 4u % 2u][row % 4u];
  }
  return matrix;
}
fn tilesRight(offset: u32, stride: u32) -> Right {
  var matrix = Right();
  for (var depth = 0u; depth < 16u; depth++) { matrix.rows[depth] = tilesEight(offset + depth * stride + matrixLane % 2u); }
  return matrix;
}
fn tilesRightOfRows(offset: u32, stride: u32) -> Right {
  var matrix = Right();
  for (var col = 0u; col < 8u; col++) {
    for (var depth = 0u; depth < 16u; depth++) {
      let eight = tilesEight(offset + (matrixLane % 2u * 8u + col) * stride + depth / 8u);
      matrix.rows[depth][col / 4u][col % 4u] = eight[depth / 4u % 2u][depth % 4u];
    }
  }
  return matrix;
}
fn tilesStore(offset: u32, stride: u32, sum: Sum) {
  let place = offset + matrixLane / 2u * stride + matrixLane % 2u * 2u;
  tiles[place] = bitcast<vec4<u32>>(sum.row[0]);
  tiles[place + 1u] = bitcast<vec4<u32>>(sum.row[1]);
}
fn sumOf(share: u32, index: u32) -> f32 {
  var sum = 0.0;
  for (var i = 0u; i < SUBGROUPS; i++) { sum += bitcast<f32>(tiles[(i * SUMS + index) / 4u][index % 4u]); }
  return sum;
}
fn chosen(part: u32, first: u32, second: u32, third: u32) -> u32 { return select(select(first, second, part == 1u), third, part == 2u); }


// Of one matrix: column `c` of a team, `col` of part `part`.
fn resultOf(share: u32, r: u32, c: u32, part: u32, row: u32, col: u32) -> f32 {
  var value = sumOf(share, r * 16u + c);
  
  
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
  matrixLane = lane % 32u;
  loadTables(lane);
  let copy = lane % 32u;
  workgroupBarrier();
  let l = lane % 32u;
  let subgroup = lane / 32u;
  let firstCol = foldedIndex(group, groups) * 16u;
  if (firstCol >= params.n) { return; }
  let part0 = u32(firstCol >= params.end0) + u32(firstCol >= params.end1);
  let start0 = chosen(part0, params.weight0, params.weight1, params.weight2) + (firstCol - chosen(part0, 0u, params.end0, params.end1)) * params.k;
  let own = subgroup * 288u;
  let place0 = own + 0u;
  let rowPlace = own + 144u;
  var sum0_0: Sum;
  var next0: vec4<u32>;
  var rawScale0: vec2<u32>;
  var isWithin0: bool;
  var nextRows0: vec4<u32>;
  var nextRows1: vec4<u32>;
  var nextRows2: vec4<u32>;
  var nextRows3: vec4<u32>;
  let chunks = params.k / 64u;
  let turns = (chunks + SUBGROUPS - 1u) / SUBGROUPS;
  {
    let isWithin = subgroup < chunks;
    let chunk = min(subgroup, chunks - 1u);
    {
      let first = start0 + l / 2u * params.k + chunk * 64u;
      let word = chosen(part0, params.codes0, params.codes1, params.codes2) + first / 8u + l % 2u * 4u;
      next0 = vec4<u32>(weight[word], weight[word + 1u], weight[word + 2u], weight[word + 3u]);
      rawScale0 = rawScaleOf(part0, first >> params.blockShift);
      isWithin0 = isWithin;
    }
    nextRows0 = x[(l / 8u + 0u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
    nextRows1 = x[(l / 8u + 1u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
    nextRows2 = x[(l / 8u + 2u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
    nextRows3 = x[(l / 8u + 3u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
  }
  for (var turn = 0u; turn < turns; turn++) {
    workgroupBarrier();
    let scale0 = select(0.0, scaleOf(part0, rawScale0), isWithin0);
    tiles[place0 + l / 2u * 9u + l % 2u * 4u + 0u] = vec4<u32>(pack2x16float(vec2<f32>(weightOf((next0[0] >> 4u) & 15u, scale0, copy), weightOf((next0[0] >> 0u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[0] >> 12u) & 15u, scale0, copy), weightOf((next0[0] >> 8u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[0] >> 20u) & 15u, scale0, copy), weightOf((next0[0] >> 16u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[0] >> 28u) & 15u, scale0, copy), weightOf((next0[0] >> 24u) & 15u, scale0, copy))));
    tiles[place0 + l / 2u * 9u + l % 2u * 4u + 1u] = vec4<u32>(pack2x16float(vec2<f32>(weightOf((next0[1] >> 4u) & 15u, scale0, copy), weightOf((next0[1] >> 0u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[1] >> 12u) & 15u, scale0, copy), weightOf((next0[1] >> 8u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[1] >> 20u) & 15u, scale0, copy), weightOf((next0[1] >> 16u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[1] >> 28u) & 15u, scale0, copy), weightOf((next0[1] >> 24u) & 15u, scale0, copy))));
    tiles[place0 + l / 2u * 9u + l % 2u * 4u + 2u] = vec4<u32>(pack2x16float(vec2<f32>(weightOf((next0[2] >> 4u) & 15u, scale0, copy), weightOf((next0[2] >> 0u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[2] >> 12u) & 15u, scale0, copy), weightOf((next0[2] >> 8u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[2] >> 20u) & 15u, scale0, copy), weightOf((next0[2] >> 16u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[2] >> 28u) & 15u, scale0, copy), weightOf((next0[2] >> 24u) & 15u, scale0, copy))));
    tiles[place0 + l / 2u * 9u + l % 2u * 4u + 3u] = vec4<u32>(pack2x16float(vec2<f32>(weightOf((next0[3] >> 4u) & 15u, scale0, copy), weightOf((next0[3] >> 0u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[3] >> 12u) & 15u, scale0, copy), weightOf((next0[3] >> 8u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[3] >> 20u) & 15u, scale0, copy), weightOf((next0[3] >> 16u) & 15u, scale0, copy))), pack2x16float(vec2<f32>(weightOf((next0[3] >> 28u) & 15u, scale0, copy), weightOf((next0[3] >> 24u) & 15u, scale0, copy))));
    tiles[rowPlace + (l / 8u + 0u * 4u) * 9u + l % 8u] = nextRows0;
    tiles[rowPlace + (l / 8u + 1u * 4u) * 9u + l % 8u] = nextRows1;
    tiles[rowPlace + (l / 8u + 2u * 4u) * 9u + l % 8u] = nextRows2;
    tiles[rowPlace + (l / 8u + 3u * 4u) * 9u + l % 8u] = nextRows3;
    workgroupBarrier();
    if (turn + 1u < turns) {
      let next = (turn + 1u) * SUBGROUPS + subgroup;
      let isWithin = next < chunks;
      let chunk = min(next, chunks - 1u);
      {
        let first = start0 + l / 2u * params.k + chunk * 64u;
        let word = chosen(part0, params.codes0, params.codes1, params.codes2) + first / 8u + l % 2u * 4u;
        next0 = vec4<u32>(weight[word], weight[word + 1u], weight[word + 2u], weight[word + 3u]);
        rawScale0 = rawScaleOf(part0, first >> params.blockShift);
        isWithin0 = isWithin;
      }
      nextRows0 = x[(l / 8u + 0u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
      nextRows1 = x[(l / 8u + 1u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
      nextRows2 = x[(l / 8u + 2u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
      nextRows3 = x[(l / 8u + 3u * 4u) * params.k / 8u + chunk * 8u + l % 8u];
    }
    {
      let left0 = tilesLeft(rowPlace + 0u, 9u);
      let right0 = tilesRightOfRows(place0 + 0u, 9u);
      sum0_0 = multiplyAdd(left0, right0, sum0_0);
    }
    {
      let left0 = tilesLeft(rowPlace + 2u, 9u);
      let right0 = tilesRightOfRows(place0 + 2u, 9u);
      sum0_0 = multiplyAdd(left0, right0, sum0_0);
    }
    {
      let left0 = tilesLeft(rowPlace + 4u, 9u);
      let right0 = tilesRightOfRows(place0 + 4u, 9u);
      sum0_0 = multiplyAdd(left0, right0, sum0_0);
    }
    {
      let left0 = tilesLeft(rowPlace + 6u, 9u);
      let right0 = tilesRightOfRows(place0 + 6u, 9u);
      sum0_0 = multiplyAdd(left0, right0, sum0_0);
    }
  }
  workgroupBarrier();
  tilesStore((subgroup * SUMS + 0u) / 4u, 4u, sum0_0);
  workgroupBarrier();
  for (var place = lane; place < 256u; place += WORKGROUP_SIZE) {
    let c = place % 16u;
    let row = place / 16u;
    if (row < params.m) { writeResult(0u, row, c, row, firstCol + c); }
  }
}
