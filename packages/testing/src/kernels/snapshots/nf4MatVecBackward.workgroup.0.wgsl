enable f16;
struct Params {
  m: u32,
  n: u32,
  k: u32,
  blockShift: u32,
  offset: f32,
  zero: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> dy: array<f16>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> absmax: array<u32>;
@group(0) @binding(4) var<storage, read> nestedAbsmax: array<f32>;
@group(0) @binding(5) var<storage, read> tables: array<f32>;
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;
const WORKGROUP_SIZE = 256u;
const DEPTH_LANES = 64u;
const NESTED = true;
const ACCUMULATE = true;
const HALF_OPERAND = true;
const ROWS = 4u;

fn isNan(bits: u32) -> bool { return (bits & 0x7fffffffu) > 0x7f800000u; }
// Drops `count` bits, at least one, of what lies above them.
fn dropBits(bits: u32, count: u32) -> u32 { return (bits + (1u << (count - 1u)) - 1u + ((bits >> count) & 1u)) >> count; }
fn halfBits(bits: u32) -> u32 {
  let size = bits & 0x7fffffffu;
  // Below 2⁻¹⁴ an f16 counts in steps of 2⁻²⁴.
  let small = dropBits((size & 0x7fffffu) | 0x800000u, clamp(126u - min(size >> 23u, 125u), 1u, 25u));
  let half = select(dropBits(size - 0x38000000u, 13u), small, size < 0x38800000u);
  let bounded = select(half, 0x7c00u, size >= 0x477ff000u);
  return ((bits >> 16u) & 0x8000u) | select(bounded, 0x7e00u, isNan(bits));
}
fn halfToSingle(half: u32) -> u32 {
  let sign = (half & 0x8000u) << 16u;
  let size = half & 0x7fffu;
  // As an integer an f16 below 2⁻¹⁴ is its multiple of 2⁻²⁴, and the smallest of those is a normal f32.
  let small = bitcast<u32>(f32(size)) - (24u << 23u);
  let normal = (size << 13u) + 0x38000000u;
  let special = (size << 13u) | 0x7f800000u;
  return sign | select(select(normal, special, size >= 0x7c00u), select(small, 0u, size == 0u), size < 0x400u);
}
fn roundToWeight(bits: u32) -> u32 {
  return select((bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u, 0x7fc00000u, isNan(bits));
}
var<workgroup> localTables: array<f32, 288>;
fn loadTables(lane: u32) {
  for (var i = lane; i < 288u; i += WORKGROUP_SIZE) { localTables[i] = tables[i]; }
  workgroupBarrier();
}
fn scaleOf(block: u32) -> f32 {
  let code = (absmax[block / 4u] >> (8u * (block % 4u))) & 255u;
  let product = localTables[32u + code] * nestedAbsmax[block / 256u];
  // Rounded before it is added to: with an unknown zero between them the two cannot become one fused operation.
  return bitcast<f32>(bitcast<u32>(product) ^ params.zero) + params.offset;
}
fn weightBits(code: u32, scale: f32) -> u32 { return roundToWeight(bitcast<u32>(localTables[code] * scale)); }
fn operand(bits: u32) -> f32 { return bitcast<f32>(halfToSingle(halfBits(bits))); }
fn fourWeights(packed: u32, scale: f32) -> vec4<f32> {
  return vec4<f32>(operand(weightBits((packed >> 4u) & 15u, scale)), operand(weightBits((packed >> 0u) & 15u, scale)), operand(weightBits((packed >> 12u) & 15u, scale)), operand(weightBits((packed >> 8u) & 15u, scale)));
}
var<workgroup> depthParts: array<vec4<f32>, 256>;
fn sumOverDepth(value: vec4<f32>, lane: u32) -> vec4<f32> {
  workgroupBarrier();
  depthParts[lane] = value;
  workgroupBarrier();
  for (var stride = 128u; stride >= 4u; stride /= 2u) {
    if (lane < stride) { depthParts[lane] += depthParts[lane + stride]; }
    workgroupBarrier();
  }
  return depthParts[lane];
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  loadTables(lane);
  let words = params.k / 8u;
  let wantedWord = foldedIndex(group, groups) * 4u + lane % 4u;
  let word = min(wantedWord, words - 1u);
  let isMine = wantedWord < words && lane < 4u;
  let row0 = min(group.z * ROWS + 0u, params.m - 1u);
  var low0 = vec4<f32>();
  var high0 = vec4<f32>();
  let row1 = min(group.z * ROWS + 1u, params.m - 1u);
  var low1 = vec4<f32>();
  var high1 = vec4<f32>();
  let row2 = min(group.z * ROWS + 2u, params.m - 1u);
  var low2 = vec4<f32>();
  var high2 = vec4<f32>();
  let row3 = min(group.z * ROWS + 3u, params.m - 1u);
  var low3 = vec4<f32>();
  var high3 = vec4<f32>();
  for (var n = lane / 4u; n < params.n; n += DEPTH_LANES) {
    let place = n * words + word;
    let packed = codes[place];
    let scale = scaleOf(place >> (params.blockShift - 3u));
    let low = fourWeights(packed, scale);
    let high = fourWeights(packed >> 16u, scale);
    let gradient0 = f32(dy[row0 * params.n + n]);
    low0 += gradient0 * low;
    high0 += gradient0 * high;
    let gradient1 = f32(dy[row1 * params.n + n]);
    low1 += gradient1 * low;
    high1 += gradient1 * high;
    let gradient2 = f32(dy[row2 * params.n + n]);
    low2 += gradient2 * low;
    high2 += gradient2 * high;
    let gradient3 = f32(dy[row3 * params.n + n]);
    low3 += gradient3 * low;
    high3 += gradient3 * high;
  }
  let lowTotal0 = sumOverDepth(low0, lane);
  let highTotal0 = sumOverDepth(high0, lane);
  if (isMine && group.z * ROWS + 0u < params.m) {
    let place = 2u * (row0 * words + word);
    dx[place] = dx[place] + lowTotal0;
    dx[place + 1u] = dx[place + 1u] + highTotal0;
  }
  let lowTotal1 = sumOverDepth(low1, lane);
  let highTotal1 = sumOverDepth(high1, lane);
  if (isMine && group.z * ROWS + 1u < params.m) {
    let place = 2u * (row1 * words + word);
    dx[place] = dx[place] + lowTotal1;
    dx[place + 1u] = dx[place + 1u] + highTotal1;
  }
  let lowTotal2 = sumOverDepth(low2, lane);
  let highTotal2 = sumOverDepth(high2, lane);
  if (isMine && group.z * ROWS + 2u < params.m) {
    let place = 2u * (row2 * words + word);
    dx[place] = dx[place] + lowTotal2;
    dx[place + 1u] = dx[place + 1u] + highTotal2;
  }
  let lowTotal3 = sumOverDepth(low3, lane);
  let highTotal3 = sumOverDepth(high3, lane);
  if (isMine && group.z * ROWS + 3u < params.m) {
    let place = 2u * (row3 * words + word);
    dx[place] = dx[place] + lowTotal3;
    dx[place + 1u] = dx[place + 1u] + highTotal3;
  }
}
