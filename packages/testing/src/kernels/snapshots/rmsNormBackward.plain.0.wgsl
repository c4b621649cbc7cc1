struct Params {
  numRows: u32,
  rowSize: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> x: array<f32>;
@group(0) @binding(2) var<storage, read> weight: array<f32>;
@group(0) @binding(3) var<storage, read> rstd: array<f32>;
@group(0) @binding(4) var<storage, read> dy: array<f32>;
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;
const WORKGROUP_SIZE = 256u;
const ROW_PER_LANE = false;

fn reduceSumCombine(a: f32, b: f32) -> f32 { return a + b; }
var<workgroup> reduceSumParts: array<f32, 256>;
fn reduceSum(value: f32, lane: u32) -> f32 {
  reduceSumParts[lane] = value;
  workgroupBarrier();
  for (var stride = 128u; stride > 0u; stride /= 2u) {
    if (lane < stride) { reduceSumParts[lane] = reduceSumCombine(reduceSumParts[lane], reduceSumParts[lane + stride]); }
    workgroupBarrier();
  }
  let total = reduceSumParts[0];
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
  var dot = 0.0;
  for (var blockStart = firstCol; blockStart < params.rowSize; blockStart += 64u * colStep) {
    let blockEnd = min(params.rowSize, blockStart + 64u * colStep);
    var dotBlock = 0.0;
    for (var col = blockStart; col < blockEnd; col += colStep) {
      
      dotBlock += dy[base + col] * weight[col] * f32(x[base + col]);
    }
    dot += dotBlock;
  }
  let scale = rstd[row];
  let pull = scale * scale * reduceSum(dot, lane) / f32(params.rowSize);
  for (var col = firstCol; col < params.rowSize; col += colStep) {
    dx[base + col] = scale * (dy[base + col] * weight[col] - f32(x[base + col]) * pull);
  }
}
