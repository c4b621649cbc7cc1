import { wgsl } from "../wgsl.js";

const maxGroups = 65_535;

/** A grid of `groups` workgroups, folded into two dimensions past 65,535. `foldedIndex` undoes it; kernels check the bound. */
export function oneGroupPer(groups: number): readonly [number, number, number] {
  if (groups <= maxGroups) return [groups, 1, 1];
  const rows = Math.ceil(groups / maxGroups);
  return [Math.ceil(groups / rows), rows, 1];
}

/** Enough workgroups for one thread per element. */
export function oneThreadPer(elements: number, workgroupSize: number): readonly [number, number, number] {
  return oneGroupPer(Math.ceil(elements / workgroupSize));
}

/** The head of the entry point; `group`, `groups` and `lane` are its parameters (a struct of builtins would be non-uniform to the compiler). */
export function computeMain({ workgroupSize }: { workgroupSize: number }): string {
  return wgsl`
    fn foldedIndex(group: vec3<u32>, groups: vec3<u32>) -> u32 {
      return group.y * groups.x + group.x;
    }

    @compute @workgroup_size(${workgroupSize})
    fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) lane: u32)`;
}
