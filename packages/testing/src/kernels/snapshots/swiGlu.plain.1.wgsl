enable f16;
struct Params {
  count: u32,
}
@group(0) @binding(0) var<uniform> params: Params;
@group(0) @binding(1) var<storage, read> gate: array<vec4<f16>>;
@group(0) @binding(2) var<storage, read> up: array<vec4<f16>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f16>>;
const WORKGROUP_SIZE = 64u;
const PER_LANE = 1u;
alias Dtype = vec4<f16>;

alias Float = vec4<f32>;
fn sigmoid(x: Float) -> Float {
  let e = exp(-abs(x));
  return select(e, Float(1.0), x >= Float(0.0)) / (1.0 + e);
}

fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
  return group.y * groups.x + group.x;
}

@compute @workgroup_size(64)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32) {
  let first = foldedIndex(group, groups) * WORKGROUP_SIZE * PER_LANE + lane;
  let i0 = first + 0u * WORKGROUP_SIZE;
  let place0 = min(i0, params.count - 1u);
  let g0 = Float(gate[place0]);
  let u0 = Float(up[place0]);
  if (i0 < params.count) { y[i0] = Dtype(g0 * sigmoid(g0) * u0); }
}
