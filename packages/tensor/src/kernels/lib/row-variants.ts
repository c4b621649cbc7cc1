import type { Capabilities } from "../../device/capabilities.js";
import { always, type Variant } from "../define-kernel.js";
import type { Reduce } from "./reduce.js";

/** The three ways of every row-wise kernel. */
export function rowVariants<S extends { workgroupSize: number; rowPerLane: boolean; reduce: Reduce }>(): Variant<S>[] {
  return [
    {
      name: "rowPerLane",
      when: (capabilities: Capabilities) => capabilities.software,
      spec: { workgroupSize: 16, rowPerLane: true, reduce: "serial" } as Partial<S>,
    },
    {
      name: "subgroup",
      when: (capabilities: Capabilities) => capabilities.subgroups,
      spec: { workgroupSize: 256, rowPerLane: false, reduce: "subgroup" } as Partial<S>,
    },
    { name: "plain", when: always, spec: { workgroupSize: 256, rowPerLane: false, reduce: "plain" } as Partial<S> },
  ];
}
