import { always, type Variant } from "../define-kernel.js";
import type { Reduce } from "./reduce.js";

/** How a kernel that looks at whole rows of a vocabulary again and again shares them. */
export type VocabularySpec = {
  workgroupSize: number;
  rowPerLane: boolean;
  reduce: Reduce;
  /** There are at most `mostFewIds`. */
  fewIds: boolean;
};

/** Ids that one lane looks at alone on a software adapter, where barriers cost most; a workgroup shares those of a larger vocabulary. */
export const mostFewIds = 512;

/** The ways of such a kernel. */
export function vocabularyVariants<S extends VocabularySpec>(): Variant<S>[] {
  const shared = (workgroupSize: number, reduce: Reduce): Partial<S> => ({ workgroupSize, rowPerLane: false, reduce }) as Partial<S>;
  return [
    {
      name: "rowPerLane",
      when: ({ software }, { fewIds }) => software && fewIds,
      spec: { workgroupSize: 16, rowPerLane: true, reduce: "serial" } as Partial<S>,
    },
    { name: "small", when: ({ software }) => software, spec: shared(16, "plain") },
    { name: "subgroup", when: ({ subgroups }) => subgroups, spec: shared(256, "subgroup") },
    { name: "plain", when: always, spec: shared(256, "plain") },
  ];
}
