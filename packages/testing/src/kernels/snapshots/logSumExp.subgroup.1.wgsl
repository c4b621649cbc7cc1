enable subgroups;
struct Params {
  numRows: u32,
  rowSize: u32,
  firstId: u32,
  isFirstChunk: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> logits: array<f32>;
@group(0) @binding(2) var<storage, read> labels: array<u32>;
@group(0) @binding(3) var<storage, read_write> state: array<f32>;
const WORKGROUP_SIZE = 256u;
const ROW_PER_LANE = false;
const METRICS = true;
const SQUARES = false;

fn reduceMaxCombine(a: f32, b: f32) -> f32 { return max(a, b); }
var<workgroup> reduceMaxParts: array<f32, 256>;
fn reduceMax(value: f32, lane: u32) -> f32 {
  let part = subgroupMax(value);
  let width = subgroupBroadcastFirst(subgroupAdd(1u));
  if (lane % width == 0u) { reduceMaxParts[lane / width] = part; }
  workgroupBarrier();
  var total = -3.4e38;
  for (var i = 0u; i < 256u / width; i++) { total = reduceMaxCombine(total, reduceMaxParts[i]); }
  workgroupBarrier();
  return total;
}
fn reduceSumCombine(a: f32, b: f32) -> f32 { return a + b; }
var<workgroup> reduceSumParts: array<f32, 256>;
fn reduceSum(value: f32, lane: u32) -> f32 {
  let part = subgroupAdd(value);
  let width = subgroupBroadcastFirst(subgroupAdd(1u));
  if (lane % width == 0u) { reduceSumParts[lane / width] = part; }
  workgroupBarrier();
  var total = 0.0;
  for (var i = 0u; i < 256u / width; i++) { total = reduceSumCombine(total, reduceSumParts[i]); }
  workgroupBarrier();
  return total;
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(256)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let row = foldedIndex(group, groups);
  if (row >= params.numRows) { return; }
  let firstCol = lane;
  let colStep = WORKGROUP_SIZE;
  let base = row * params.rowSize;
  var best = -3.4e38;
  var bestCol = 0u;
  for (var col = firstCol; col < params.rowSize; col += colStep) {
    let z = logits[base + col];
    if (z > best) { best = z; bestCol = col; }
  }
  let chunkMax = reduceMax(best, lane);
  var sumPart = 0.0;
  var tiltPart = 0.0;
  var totalPart = 0.0;
  for (var blockStart = firstCol; blockStart < params.rowSize; blockStart += 64u * colStep) {
    let blockEnd = min(params.rowSize, blockStart + 64u * colStep);
    var sumPartBlock = 0.0;
    var tiltPartBlock = 0.0;
    var totalPartBlock = 0.0;
    for (var col = blockStart; col < blockEnd; col += colStep) {
      let z = logits[base + col];
      let offset = z - chunkMax;
      let e = exp(offset);
      sumPartBlock += e;
      tiltPartBlock += e * offset;
      totalPartBlock += z;
    }
    sumPart += sumPartBlock;
    tiltPart += tiltPartBlock;
    totalPart += totalPartBlock;
  }
  let chunkSum = reduceSum(sumPart, lane);
  let chunkTilt = reduceSum(tiltPart, lane);
  let chunkTotal = reduceSum(totalPart, lane);
  let chunkArgmax = params.firstId + u32(-reduceMax(select(-3.4e38, -f32(bestCol), best == chunkMax), lane));
  
  if (firstCol != 0u) { return; }

  let at = row * 8u;
  let label = labels[row];
  if (label >= params.firstId && label < params.firstId + params.rowSize) { state[at + 4u] = logits[base + label - params.firstId]; }
  let isFirst = params.isFirstChunk != 0u;
  let oldMax = select(state[at], chunkMax, isFirst);
  let oldSum = select(state[at + 1u], 0.0, isFirst);
  let newMax = max(oldMax, chunkMax);
  let oldShift = oldMax - newMax;
  let chunkShift = chunkMax - newMax;
  let oldScale = exp(oldShift);
  let chunkScale = exp(chunkShift);
  state[at] = newMax;
  state[at + 1u] = oldSum * oldScale + chunkSum * chunkScale;
  let oldTilt = select(state[at + 2u], 0.0, isFirst);
  let oldTotal = select(state[at + 3u], 0.0, isFirst);
  let oldArgmax = select(bitcast<u32>(state[at + 5u]), chunkArgmax, isFirst);
  state[at + 2u] = oldScale * (oldTilt + oldSum * oldShift) + chunkScale * (chunkTilt + chunkSum * chunkShift);
  state[at + 3u] = oldTotal + chunkTotal;
  state[at + 5u] = bitcast<f32>(select(oldArgmax, chunkArgmax, chunkMax > oldMax));
  
}
