enable f16;
enable subgroups;
struct Params {
  m: u32,
  n: u32,
  k: u32,
  blockShift: u32,
  offset: f32,
  zero: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> codes: array<u32>;
@group(0) @binding(3) var<storage, read> absmax: array<u32>;
@group(0) @binding(4) var<storage, read> nestedAbsmax: array<f32>;
@group(0) @binding(5) var<storage, read> tables: array<f32>;
@group(0) @binding(6) var<storage, read> bias: array<f32>;
@group(0) @binding(7) var<storage, read_write> y: array<f16>;
const WORKGROUP_SIZE = 64u;
const NESTED = true;
alias Dtype = f16;
const HAS_BIAS = true;
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
fn reduceSumCombine(a: f32, b: f32) -> f32 { return a + b; }
var<workgroup> reduceSumParts: array<f32, 64>;
fn reduceSum(value: f32, lane: u32) -> f32 {
  let part = subgroupAdd(value);
  let width = subgroupBroadcastFirst(subgroupAdd(1u));
  if (lane % width == 0u) { reduceSumParts[lane / width] = part; }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 64u / width; i++) { total = reduceSumCombine(total, reduceSumParts[i]); }
  workgroupBarrier();
  return total;
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  loadTables(lane);
  let col = foldedIndex(group, groups);
  if (col >= params.n) { return; }
  let words = params.k / 8u;
  let row0 = min(group.z * ROWS + 0u, params.m - 1u);
  let row1 = min(group.z * ROWS + 1u, params.m - 1u);
  let row2 = min(group.z * ROWS + 2u, params.m - 1u);
  let row3 = min(group.z * ROWS + 3u, params.m - 1u);
  var sum0 = 0.0;
  var sum1 = 0.0;
  var sum2 = 0.0;
  var sum3 = 0.0;
  for (var word = lane; word < words; word += WORKGROUP_SIZE) {
    let place = col * words + word;
    let packed = codes[place];
    let scale = scaleOf(place >> (params.blockShift - 3u));
    let low = fourWeights(packed, scale);
    let high = fourWeights(packed >> 16u, scale);
    sum0 += dot(vec4<f32>(x[2u * (row0 * words + word)]), low) + dot(vec4<f32>(x[2u * (row0 * words + word) + 1u]), high);
    sum1 += dot(vec4<f32>(x[2u * (row1 * words + word)]), low) + dot(vec4<f32>(x[2u * (row1 * words + word) + 1u]), high);
    sum2 += dot(vec4<f32>(x[2u * (row2 * words + word)]), low) + dot(vec4<f32>(x[2u * (row2 * words + word) + 1u]), high);
    sum3 += dot(vec4<f32>(x[2u * (row3 * words + word)]), low) + dot(vec4<f32>(x[2u * (row3 * words + word) + 1u]), high);
  }
  let total0 = reduceSum(sum0, lane) + bias[col];
  if (lane == 0u && group.z * ROWS + 0u < params.m) { y[row0 * params.n + col] = Dtype(total0); }
  let total1 = reduceSum(sum1, lane) + bias[col];
  if (lane == 0u && group.z * ROWS + 1u < params.m) { y[row1 * params.n + col] = Dtype(total1); }
  let total2 = reduceSum(sum2, lane) + bias[col];
  if (lane == 0u && group.z * ROWS + 2u < params.m) { y[row2 * params.n + col] = Dtype(total2); }
  let total3 = reduceSum(sum3, lane) + bias[col];
  if (lane == 0u && group.z * ROWS + 3u < params.m) { y[row3 * params.n + col] = Dtype(total3); }
}
