import type { LogColumn } from "./method.js";

/** Columns of the methods that have rewards. */
export const rewardColumns: readonly LogColumn[] = [
  { title: "chosen", metric: "rewards/chosen", width: 9 },
  { title: "rejected", metric: "rewards/rejected", width: 9 },
  { title: "margins", metric: "rewards/margins", width: 9 },
];
