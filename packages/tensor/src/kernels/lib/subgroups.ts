import type { Capabilities } from "../../device/capabilities.js";

/** True for a GPU whose subgroups have 32 lanes, neighbours in a workgroup. */
export function hasSubgroupsOf32({ software, subgroups, subgroupMinSize, subgroupMaxSize }: Capabilities): boolean {
  return !software && subgroups && subgroupMinSize === 32 && subgroupMaxSize === 32;
}

/** True for a software adapter whose subgroups are the four lanes of a vector register. */
export function hasSoftwareSubgroupsOf4({ software, subgroups, subgroupMinSize, subgroupMaxSize }: Capabilities): boolean {
  return software && subgroups && subgroupMinSize === 4 && subgroupMaxSize === 4;
}
