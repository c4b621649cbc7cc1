import { wgsl } from "../wgsl.js";

/** How a workgroup adds up: `subgroup` needs subgroups, `plain` is a tree in workgroup memory, `serial` means that one lane has the whole row. */
export type Reduce = "subgroup" | "plain" | "serial";

/**
 * `fn reduceSum(value: f32, lane: u32) -> f32`: the sum over the workgroup, the same in every lane, in a fixed order. Call it from uniform
 * control flow; it may be called repeatedly.
 */
export function reduceSum(spec: { reduce: Reduce; workgroupSize: number }): string {
  return reduction("reduceSum", "a + b", "subgroupAdd", "0.0", spec);
}

/** `fn reduceMax(value: f32, lane: u32) -> f32`: the largest value of the workgroup, the same in every lane. */
export function reduceMax(spec: { reduce: Reduce; workgroupSize: number }): string {
  return reduction("reduceMax", "max(a, b)", "subgroupMax", "-3.4e38", spec);
}

function reduction(
  name: string,
  combine: string,
  builtin: string,
  neutral: string,
  { reduce, workgroupSize }: { reduce: Reduce; workgroupSize: number },
): string {
  if (reduce === "serial") return wgsl`fn ${name}(value: f32, lane: u32) -> f32 { return value; }`;
  const combineFn = wgsl`fn ${name}Combine(a: f32, b: f32) -> f32 { return ${combine}; }`;
  if (reduce === "subgroup") {
    return wgsl`
      ${combineFn}
      var<workgroup> ${name}Parts: array<f32, ${workgroupSize}>;
      fn ${name}(value: f32, lane: u32) -> f32 {
        let part = ${builtin}(value);
        let width = subgroupBroadcastFirst(subgroupAdd(1u));
        if (lane % width == 0u) { ${name}Parts[lane / width] = part; }
        workgroupBarrier();
        var total = ${neutral};
        for (var i = 0u; i < ${workgroupSize}u / width; i++) { total = ${name}Combine(total, ${name}Parts[i]); }
        workgroupBarrier();
        return total;
      }`;
  }
  return wgsl`
    ${combineFn}
    var<workgroup> ${name}Parts: array<f32, ${workgroupSize}>;
    fn ${name}(value: f32, lane: u32) -> f32 {
      ${name}Parts[lane] = value;
      workgroupBarrier();
      for (var stride = ${workgroupSize / 2}u; stride > 0u; stride /= 2u) {
        if (lane < stride) { ${name}Parts[lane] = ${name}Combine(${name}Parts[lane], ${name}Parts[lane + stride]); }
        workgroupBarrier();
      }
      let total = ${name}Parts[0];
      workgroupBarrier();
      return total;
    }`;
}

/** WGSL `enable` lines a reduction needs. */
export function reduceEnables({ reduce }: { reduce: Reduce }): string[] {
  return reduce === "subgroup" ? ["enable subgroups;"] : [];
}

/** `fn name(value: type) -> type`: the sum over the four neighbouring lanes that share a row, the same in each of them. */
export function sumOfFourLanes(name: string, type: "f32" | "vec2<f32>" | "vec4<f32>"): string {
  return wgsl`
    fn ${name}(value: ${type}) -> ${type} {
      let pair = value + subgroupShuffleXor(value, 1u);
      return pair + subgroupShuffleXor(pair, 2u);
    }`;
}
