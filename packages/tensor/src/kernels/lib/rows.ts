import { wgsl } from "../wgsl.js";
import { oneGroupPer, oneThreadPer } from "./grid.js";

/** How a row-wise kernel shares rows: a whole workgroup a row, or (software adapters, where barriers cost most) one lane a row. */
export interface RowSpec {
  workgroupSize: number;
  rowPerLane: boolean;
}

/** Workgroups for `numRows` rows. */
export function rowGrid(numRows: number, { workgroupSize, rowPerLane }: RowSpec): readonly [number, number, number] {
  return rowPerLane ? oneThreadPer(numRows, workgroupSize) : oneGroupPer(numRows);
}

/**
 * Statements that define `row`, the first column `firstCol` of this lane and the `colStep` to its next, and leave where there is no row.
 * The early return is uniform in a workgroup whenever the kernel has barriers.
 */
export function rowHead({ rowPerLane }: RowSpec): string {
  return rowPerLane
    ? wgsl`
        let row = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
        if (row >= params.numRows) { return; }
        let firstCol = 0u;
        let colStep = 1u;`
    : wgsl`
        let row = foldedIndex(group, groups);
        if (row >= params.numRows) { return; }
        let firstCol = lane;
        let colStep = WORKGROUP_SIZE;`;
}
