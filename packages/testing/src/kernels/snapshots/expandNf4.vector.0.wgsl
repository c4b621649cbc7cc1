struct Params {
  size: u32,
  numCols: u32,
  blockShift: u32,
  offset: f32,
  zero: u32,
  exactFrom: f32,
  exactTo: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<u32>;
@group(0) @binding(2) var<storage, read> absmax: array<u32>;
@group(0) @binding(3) var<storage, read> nestedAbsmax: array<f32>;
@group(0) @binding(4) var<storage, read> tables: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<u32>>;
const WORKGROUP_SIZE = 256u;
const WORDS_PER_LANE = 4u;
const NESTED = true;
const HALF = true;
const TRANSPOSED = false;
const ALIGNED = true;

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
fn pairBits(byte: u32, scale: f32) -> u32 {
  return halfBits(weightBits((byte >> 4u) & 15u, scale)) | (halfBits(weightBits(byte & 15u, scale)) << 16u);
}
fn roundFinite(bits: u32) -> u32 { return (bits + 0x7fffu + ((bits >> 16u) & 1u)) & 0xffff0000u; }
fn exactPairBits(byte: u32, scale: f32) -> u32 { return pack2x16float(vec2<f32>(bitcast<f32>(roundFinite(bitcast<u32>(localTables[(byte >> 4u) & 15u] * scale))), bitcast<f32>(roundFinite(bitcast<u32>(localTables[(byte >> 0u) & 15u] * scale))))); }
fn isExact(scale: f32) -> bool { return scale >= params.exactFrom && scale <= params.exactTo; }
fn expandWord(i: u32) {
  let packed = codes[i];
  let scale = scaleOf(i >> (params.blockShift - 3u));
  if (isExact(scale)) { w[i] = vec4<u32>(exactPairBits(packed >> 0u, scale), exactPairBits(packed >> 8u, scale), exactPairBits(packed >> 16u, scale), exactPairBits(packed >> 24u, scale)); } else { w[i] = vec4<u32>(pairBits(packed >> 0u, scale), pairBits(packed >> 8u, scale), pairBits(packed >> 16u, scale), pairBits(packed >> 24u, scale)); }
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  loadTables(lane);
  let first = foldedIndex(group, groups) * WORKGROUP_SIZE * WORDS_PER_LANE + lane;
  let words = params.size / 8u;
  if (first + 0u < words) { expandWord(first + 0u); }
  if (first + 256u < words) { expandWord(first + 256u); }
  if (first + 512u < words) { expandWord(first + 512u); }
  if (first + 768u < words) { expandWord(first + 768u); }
}
