enable f16;
enable subgroups;
struct Params {
  numRows: u32,
  rowSize: u32,
  eps: f32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f16>;
@group(0) @binding(4) var<storage, read_write> rstd: array<f32>;
const WORKGROUP_SIZE = 256u;
const ROW_PER_LANE = false;
alias Dtype = f16;

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
  var sumSquares = 0.0;
  for (var blockStart = firstCol; blockStart < params.rowSize; blockStart += 64u * colStep) {
    let blockEnd = min(params.rowSize, blockStart + 64u * colStep);
    var sumSquaresBlock = 0.0;
    for (var col = blockStart; col < blockEnd; col += colStep) {
      let value = f32(x[base + col]);
      sumSquaresBlock += value * value;
    }
    sumSquares += sumSquaresBlock;
  }
  let scale = inverseSqrt(reduceSum(sumSquares, lane) / f32(params.rowSize) + params.eps);
  if (firstCol == 0u) { rstd[row] = scale; }
  for (var col = firstCol; col < params.rowSize; col += colStep) {
    y[base + col] = Dtype(f32(x[base + col]) * scale * weight[col]);
  }
}
