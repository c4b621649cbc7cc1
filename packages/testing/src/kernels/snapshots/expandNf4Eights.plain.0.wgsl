struct Params {
  numRows: u32,
  numCols: u32,
  blockShift: u32,
  offset: f32,
  zero: u32,
  exactFrom: f32,
  exactTo: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> codes: array<vec4<u32>>;
@group(0) @binding(2) var<storage, read> absmax: array<u32>;
@group(0) @binding(3) var<storage, read> nestedAbsmax: array<f32>;
@group(0) @binding(4) var<storage, read> tables: array<f32>;
@group(0) @binding(5) var<storage, read_write> w: array<vec4<u32>>;
const WORKGROUP_SIZE = 256u;
const NESTED = true;

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

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  loadTables(lane);
  let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
  if (i >= params.numRows * (params.numCols / 64u)) { return; }
  let row = i % params.numRows;
  let start = row * params.numCols + i / params.numRows * 64u;
  let scale = scaleOf(start >> params.blockShift);
  let first = codes[start / 32u];
  let second = codes[start / 32u + 1u];
  let place = i / params.numRows * 8u * params.numRows + row;
  if (isExact(scale)) {
    w[place + 0u * params.numRows] = vec4<u32>(exactPairBits(first[0] >> 0u, scale), exactPairBits(first[0] >> 8u, scale), exactPairBits(first[0] >> 16u, scale), exactPairBits(first[0] >> 24u, scale));
    w[place + 1u * params.numRows] = vec4<u32>(exactPairBits(first[1] >> 0u, scale), exactPairBits(first[1] >> 8u, scale), exactPairBits(first[1] >> 16u, scale), exactPairBits(first[1] >> 24u, scale));
    w[place + 2u * params.numRows] = vec4<u32>(exactPairBits(first[2] >> 0u, scale), exactPairBits(first[2] >> 8u, scale), exactPairBits(first[2] >> 16u, scale), exactPairBits(first[2] >> 24u, scale));
    w[place + 3u * params.numRows] = vec4<u32>(exactPairBits(first[3] >> 0u, scale), exactPairBits(first[3] >> 8u, scale), exactPairBits(first[3] >> 16u, scale), exactPairBits(first[3] >> 24u, scale));
    w[place + 4u * params.numRows] = vec4<u32>(exactPairBits(second[0] >> 0u, scale), exactPairBits(second[0] >> 8u, scale), exactPairBits(second[0] >> 16u, scale), exactPairBits(second[0] >> 24u, scale));
    w[place + 5u * params.numRows] = vec4<u32>(exactPairBits(second[1] >> 0u, scale), exactPairBits(second[1] >> 8u, scale), exactPairBits(second[1] >> 16u, scale), exactPairBits(second[1] >> 24u, scale));
    w[place + 6u * params.numRows] = vec4<u32>(exactPairBits(second[2] >> 0u, scale), exactPairBits(second[2] >> 8u, scale), exactPairBits(second[2] >> 16u, scale), exactPairBits(second[2] >> 24u, scale));
    w[place + 7u * params.numRows] = vec4<u32>(exactPairBits(second[3] >> 0u, scale), exactPairBits(second[3] >> 8u, scale), exactPairBits(second[3] >> 16u, scale), exactPairBits(second[3] >> 24u, scale));
  } else {
    w[place + 0u * params.numRows] = vec4<u32>(pairBits(first[0] >> 0u, scale), pairBits(first[0] >> 8u, scale), pairBits(first[0] >> 16u, scale), pairBits(first[0] >> 24u, scale));
    w[place + 1u * params.numRows] = vec4<u32>(pairBits(first[1] >> 0u, scale), pairBits(first[1] >> 8u, scale), pairBits(first[1] >> 16u, scale), pairBits(first[1] >> 24u, scale));
    w[place + 2u * params.numRows] = vec4<u32>(pairBits(first[2] >> 0u, scale), pairBits(first[2] >> 8u, scale), pairBits(first[2] >> 16u, scale), pairBits(first[2] >> 24u, scale));
    w[place + 3u * params.numRows] = vec4<u32>(pairBits(first[3] >> 0u, scale), pairBits(first[3] >> 8u, scale), pairBits(first[3] >> 16u, scale), pairBits(first[3] >> 24u, scale));
    w[place + 4u * params.numRows] = vec4<u32>(pairBits(second[0] >> 0u, scale), pairBits(second[0] >> 8u, scale), pairBits(second[0] >> 16u, scale), pairBits(second[0] >> 24u, scale));
    w[place + 5u * params.numRows] = vec4<u32>(pairBits(second[1] >> 0u, scale), pairBits(second[1] >> 8u, scale), pairBits(second[1] >> 16u, scale), pairBits(second[1] >> 24u, scale));
    w[place + 6u * params.numRows] = vec4<u32>(pairBits(second[2] >> 0u, scale), pairBits(second[2] >> 8u, scale), pairBits(second[2] >> 16u, scale), pairBits(second[2] >> 24u, scale));
    w[place + 7u * params.numRows] = vec4<u32>(pairBits(second[3] >> 0u, scale), pairBits(second[3] >> 8u, scale), pairBits(second[3] >> 16u, scale), pairBits(second[3] >> 24u, scale));
  }
}
