struct Params {
  count: u32,
  aCount: u32,
  bCount: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> a: array<f32>;
@group(0) @binding(2) var<storage, read> b: array<f32>;
@group(0) @binding(3) var<storage, read_write> y: array<f32>;
const WORKGROUP_SIZE = 64u;
alias Dtype = f32;

alias Float = f32;
fn apply(a: Float, b: Float) -> Float { return a + b; }

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
  if (i < params.count) { y[i] = Dtype(apply(Float(a[i % params.aCount]), Float(b[i % params.bCount]))); }
}
