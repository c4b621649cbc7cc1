struct Params {
  size: u32,
  blockShift: u32,
  firstBlock: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> source: array<u32>;
@group(0) @binding(2) var<storage, read> tables: array<f32>;
@group(0) @binding(3) var<storage, read_write> codes: array<u32>;
@group(0) @binding(4) var<storage, read_write> absmax: array<u32>;
const WORKGROUP_SIZE = 64u;

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
fn sourceBits(index: u32) -> u32 { return (source[index / 2u] >> (16u * (index % 2u))) << 16u; }
fn bitsAt(index: u32) -> u32 { return sourceBits(index); }

/** 1 / value as factor · 2^exponent, rounded as an f32 is. */
struct Inverse { factor: f32, exponent: i32 }

/** Of an f32 that is positive and finite: value = significand · 2^(exponent − 150), so 1 / value = (2⁴⁷ / significand) · 2^(103 − exponent). */
fn inverseOf(bits: u32) -> Inverse {
  let exponent = bits >> 23u;
  let significand = select((bits & 0x7fffffu) | 0x800000u, bits << 1u, exponent == 0u);
  // A reciprocal below 2⁻¹²⁶ has fewer digits.
  let dropped = select(0u, exponent - 252u, exponent > 252u);
  var rest = 0x800000u;
  var quotient = 0u;
  if (rest >= significand) {
    quotient = 1u;
    rest -= significand;
  }
  for (var digit = dropped; digit < 24u; digit++) {
    rest <<= 1u;
    quotient <<= 1u;
    if (rest >= significand) {
      quotient |= 1u;
      rest -= significand;
    }
  }
  if (2u * rest > significand || (2u * rest == significand && (quotient & 1u) == 1u)) { quotient++; }
  return Inverse(f32(quotient), 103 - i32(exponent) + i32(dropped));
}

/** value · 2^exponent, 0 where that is too small to matter. */
fn scaled(bits: u32, exponent: i32) -> f32 {
  let isSmall = (bits & 0x7f800000u) == 0u;
  let size = select(bits & 0x7fffffffu, bitcast<u32>(f32(bits & 0x7fffffu)), isSmall);
  let newExponent = i32(size >> 23u) + exponent - select(0, 149, isSmall);
  if (size == 0u || newExponent <= 0) { return 0.0; }
  return bitcast<f32>((bits & 0x80000000u) | (u32(newExponent) << 23u) | (size & 0x7fffffu));
}

fn codeOf(x: f32) -> u32 {
  var code = 0u;
  for (var step = 8u; step > 0u; step >>= 1u) {
    if (x > tables[15u + code + step]) { code += step; }
  }
  return code;
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let block = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
  let first = block << params.blockShift;
  if (first >= params.size) { return; }
  let end = min(first + (1u << params.blockShift), params.size);
  var largest = 0u;
  for (var i = first; i < end; i++) {
    let size = bitsAt(i) & 0x7fffffffu;
    if (size >= 0x7f800000u) {
      absmax[params.firstBlock + block] = 0x7fc00000u | (i - first);
      return;
    }
    largest = max(largest, size);
  }
  absmax[params.firstBlock + block] = largest;
  let inverse = inverseOf(max(largest, 0x006ce3eeu)); // 1e-38
  let firstWord = params.firstBlock << (params.blockShift - 3u);
  for (var word = first / 8u; 8u * word < end; word++) {
    var packed = 0u;
    for (var i = 0u; i < 8u; i++) {
      let index = 8u * word + i;
      var x = 0.0;
      if (index < end) { x = inverse.factor * scaled(bitsAt(index), inverse.exponent); }
      packed |= codeOf(x) << ((4u * i) ^ 4u);
    }
    codes[firstWord + word] = packed;
  }
}
