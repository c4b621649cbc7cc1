struct Params {
  numBlocks: u32,
  zero: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read_write> weights: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read> grads: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> blocks: array<u32>;
@group(0) @binding(4) var<storage, read> maps: array<f32>;
@group(0) @binding(5) var<storage, read_write> codes: array<u32>;
@group(0) @binding(6) var<storage, read_write> absmax: array<f32>;
@group(0) @binding(7) var<storage, read> hyper: array<f32>;
@group(0) @binding(8) var<storage, read> clip: array<f32>;
const WORKGROUP_SIZE = 64u;
const BLOCK_PER_LANE = false;
const EXACT = true;
const HAS_CLIP = true;

const WORDS = 64u; // of four codes, in a block
// Where in maps: the entries, then the midpoints between them, of the signed and of the unsigned map.
const SIGNED = 0u;
const UNSIGNED = 256u;
const MIDPOINTS = 512u;
const CODE_OF_ZERO = 127u; // in the signed map; smaller codes are negative

fn clipFactor() -> f32 { return clip[0]; }

struct Moments { m: vec4<f32>, v: vec4<f32> }
// Four elements: their place in weights, the gradients, and which of them take part.
struct Elements { place: u32, g: vec4<f32>, exists: vec4<bool>, moves: vec4<bool> }

const SIGN = 0x80000000u;
const HIDDEN_BIT = 0x800000u;

fn rounded(x: vec4<f32>) -> vec4<f32> {
  return bitcast<vec4<f32>>(bitcast<vec4<u32>>(x) ^ vec4<u32>(params.zero));
}
fn exponentOf(bits: u32) -> u32 { return (bits >> 23u) & 255u; }
fn significandOf(bits: u32) -> u32 { return (bits & (HIDDEN_BIT - 1u)) | HIDDEN_BIT; }
// From 25 bits, the last one beyond the significand, and whether anything is left after them.
fn roundToEven(digits: u32, isInexact: bool) -> u32 {
  let significand = digits >> 1u;
  let isUp = (digits & 1u) == 1u && (isInexact || (significand & 1u) == 1u);
  return significand + select(0u, 1u, isUp);
}
fn divideOne(a: f32, b: f32) -> f32 {
  let bitsA = bitcast<u32>(a);
  let bitsB = bitcast<u32>(b);
  let exponentA = exponentOf(bitsA);
  let exponentB = exponentOf(bitsB);
  if (min(exponentA, exponentB) == 0u || max(exponentA, exponentB) == 255u) { return a / b; }
  let divisor = significandOf(bitsB);
  var rest = significandOf(bitsA);
  var exponent = i32(exponentA) - i32(exponentB) + 127;
  if (rest < divisor) {
    rest <<= 1u;
    exponent--;
  }
  if (exponent >= 255) { return a / b; }
  var digits = 1u;
  rest -= divisor;
  for (var i = 0; i < 3; i++) { // eight bits at a time
    rest <<= 8u;
    let next = rest / divisor;
    rest -= next * divisor;
    digits = (digits << 8u) | next;
  }
  let sign = (bitsA ^ bitsB) & SIGN;
  if (exponent <= 0) { return bitcast<f32>(sign); }
  return bitcast<f32>(sign | ((u32(exponent) << 23u) + roundToEven(digits, rest != 0u) - HIDDEN_BIT));
}
fn squareRootOne(x: f32) -> f32 {
  let bits = bitcast<u32>(x);
  var exponent = exponentOf(bits);
  if (exponent == 0u || exponent == 255u || (bits & SIGN) != 0u) { return sqrt(x); }
  var radicand = significandOf(bits) << 7u;
  if (exponent % 2u == 0u) { // an odd one halves evenly, as the bias is odd
    radicand <<= 1u;
    exponent--;
  }
  var rest = 0u;
  var digits = 0u;
  for (var i = 0; i < 25; i++) {
    rest = (rest << 2u) | (radicand >> 30u);
    radicand <<= 2u;
    let subtrahend = (digits << 2u) | 1u;
    digits <<= 1u;
    if (rest >= subtrahend) {
      rest -= subtrahend;
      digits |= 1u;
    }
  }
  return bitcast<f32>((((exponent + 127u) / 2u) << 23u) + roundToEven(digits, rest != 0u) - HIDDEN_BIT);
}
// Loops, as a software adapter takes seconds to compile four copies.
fn divide(a: vec4<f32>, b: vec4<f32>) -> vec4<f32> {
  var quotient = a;
  for (var i = 0u; i < 4u; i++) { quotient[i] = divideOne(a[i], b[i]); }
  return quotient;
}
fn squareRoot(x: vec4<f32>) -> vec4<f32> {
  var root = x;
  for (var i = 0u; i < 4u; i++) { root[i] = squareRootOne(x[i]); }
  return root;
}

fn elementsOf(block: u32, word: u32) -> Elements {
  let place = blocks[2u * block] / 4u + word;
  let exists = vec4<u32>(4u * word) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(blocks[2u * block + 1u]);
  let infinity = vec4<u32>(0x7f800000u);
  let isFinite = (bitcast<vec4<u32>>(grads[place]) & infinity) != infinity;
  let moves = exists & isFinite;
  let g = select(vec4<f32>(), grads[place], moves);
  return Elements(place, rounded(clipFactor() * g), exists, moves);
}
fn momentsAfter(old: Moments, at: Elements) -> Moments {
  let m = rounded(rounded(old.m * hyper[0]) + rounded(hyper[1] * at.g));
  let v = rounded(rounded(old.v * hyper[2]) + rounded(rounded(hyper[3] * at.g) * at.g));
  return Moments(select(vec4<f32>(), m, at.moves), select(vec4<f32>(), v, at.moves));
}
fn updateWeights(after: Moments, at: Elements) {
  if (!any(at.moves)) { return; } // past a short block lies another parameter, which another lane may be writing
  let p = weights[at.place];
  let change = divide(rounded(hyper[4] * after.m), rounded(squareRoot(after.v) + hyper[5]));
  weights[at.place] = select(p, rounded(rounded(p + change) * hyper[6]), at.moves);
}

var<workgroup> tableCopy: array<f32, 1024>;
fn fetchTables(lane: u32) {
  for (var i = lane; i < 1024u; i += WORKGROUP_SIZE) { tableCopy[i] = maps[i]; }
  workgroupBarrier();
}
fn table(i: u32) -> f32 { return tableCopy[i]; } // fn table(i: u32) -> f32

fn reduceMaxCombine(a: f32, b: f32) -> f32 { return max(a, b); }
var<workgroup> reduceMaxParts: array<f32, 64>;
fn reduceMax(value: f32, lane: u32) -> f32 {
  reduceMaxParts[lane] = value;
  workgroupBarrier();
  for (var stride = 32u; stride > 0u; stride /= 2u) {
    if (lane < stride) { reduceMaxParts[lane] = reduceMaxCombine(reduceMaxParts[lane], reduceMaxParts[lane + stride]); }
    workgroupBarrier();
  }
  let total = reduceMaxParts[0];
  workgroupBarrier();
  return total;
} // fn reduceMax(value: f32, lane: u32) -> f32

fn decode(word: u32, map: u32) -> vec4<f32> {
  return vec4<f32>(table(map + (word & 255u)), table(map + ((word >> 8u) & 255u)), table(map + ((word >> 16u) & 255u)), table(map + (word >> 24u)));
}
// The nearest entry; a midpoint itself goes to the even code.
fn nearestCode(value: f32, map: u32) -> u32 {
  var code = 0u;
  for (var step = 128u; step > 0u; step >>= 1u) {
    let below = code + step - 1u;
    let midpoint = table(MIDPOINTS + map + below);
    if (value > midpoint || (value == midpoint && below % 2u == 1u)) { code += step; }
  }
  return code;
}
fn codeOfM(ratio: f32, m: f32, scale: f32) -> u32 {
  var code = 0u;
  if (scale > 0.0) { code = nearestCode(ratio, SIGNED); }
  let isNegative = (bitcast<u32>(m) >> 31u) == 1u;
  if (isNegative == (code < CODE_OF_ZERO)) { return code; }
  return (code + select(255u, 1u, m > 0.0)) & 255u;
}
fn codeOfV(ratio: f32, scale: f32) -> u32 {
  if (scale > 0.0) { return nearestCode(ratio, UNSIGNED); }
  return 0u;
}

fn oldMoments(block: u32, word: u32) -> Moments {
  let second = params.numBlocks + block;
  let m = decode(codes[block * WORDS + word], SIGNED) * absmax[block];
  let v = decode(codes[second * WORDS + word], UNSIGNED) * absmax[second];
  return Moments(rounded(m), rounded(v));
}
fn largest(values: vec4<f32>) -> f32 {
  return max(max(abs(values.x), abs(values.y)), max(abs(values.z), abs(values.w)));
}
fn encode(block: u32, word: u32, after: Moments, scaleM: f32, scaleV: f32, at: Elements) {
  let m = divide(after.m, vec4<f32>(scaleM));
  let v = divide(after.v, vec4<f32>(scaleV));
  var wordM = 0u;
  var wordV = 0u;
  for (var i = 0u; i < 4u; i++) {
    if (at.exists[i]) {
      wordM |= codeOfM(m[i], after.m[i], scaleM) << (8u * i);
      wordV |= codeOfV(v[i], scaleV) << (8u * i);
    }
  }
  codes[block * WORDS + word] = wordM;
  codes[(params.numBlocks + block) * WORDS + word] = wordV;
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  if (clipFactor() < 0.0) { return; }
  fetchTables(lane);
  let numGroups = groups.x * groups.y;
  for (var block = foldedIndex(group, groups); block < params.numBlocks; block += numGroups) {
    let at = elementsOf(block, lane);
    let after = momentsAfter(oldMoments(block, lane), at);
    let scaleM = reduceMax(largest(after.m), lane);
    let scaleV = reduceMax(largest(after.v), lane);
    updateWeights(after, at);
    encode(block, lane, after, scaleM, scaleV, at);
    if (lane == 0u) {
      absmax[block] = scaleM;
      absmax[params.numBlocks + block] = scaleV;
    }
  }
}
