import { adamw8bitCases } from "./adamw-8bit.js";
import { adaptedLinearCases } from "./adapted-linear.js";
import { adamwCases, gradNormCases } from "./adamw.js";
import { bfloat16Cases } from "./bfloat16.js";
import type { OracleCase } from "../check/case.js";
import { causalAttentionCases } from "./causal-attention.js";
import { decodeAttentionCases, writeRowsCases } from "./decode-attention.js";
import { dropoutMaskCases } from "./dropout-mask.js";
import { elementwiseCases } from "./elementwise.js";
import { embeddingCases } from "./embedding.js";
import { checksumCases } from "./checksum.js";
import { equalCases } from "./equal.js";
import { fewRowsAheadCases } from "./few-rows-ahead.js";
import { fewRowsLinearCases } from "./few-rows-linear.js";
import { gatherRowsCases } from "./gather-rows.js";
import { linearLogProbsCases } from "./linear-log-probs.js";
import { linearCases } from "./linear.js";
import { lowRankAddCases } from "./low-rank-add.js";
import { rmsNormCases } from "./rms-norm.js";
import { ropeCases } from "./rope.js";
import { rotateRowsCases } from "./rotate-rows.js";
import { sampleCases } from "./sample.js";
import { segmentSumCases } from "./segment-sum.js";
import { sortCases } from "./sort.js";
import { swiGluCases } from "./swi-glu.js";
import { topLogProbsCases } from "./top-log-probs.js";

/** Every case of every op; the generic tests run them all. */
export const oracleCases: OracleCase[] = [
  ...elementwiseCases,
  ...linearCases,
  ...lowRankAddCases,
  ...adaptedLinearCases,
  ...dropoutMaskCases,
  ...rmsNormCases,
  ...swiGluCases,
  ...bfloat16Cases,
  ...embeddingCases,
  ...gatherRowsCases,
  ...checksumCases,
  ...equalCases,
  ...segmentSumCases,
  ...sortCases,
  ...linearLogProbsCases,
  ...adamwCases,
  ...adamw8bitCases,
  ...gradNormCases,
  ...ropeCases,
  ...causalAttentionCases,
  ...decodeAttentionCases,
  ...fewRowsLinearCases,
  ...fewRowsAheadCases,
  ...rotateRowsCases,
  ...writeRowsCases,
  ...sampleCases,
  ...topLogProbsCases,
];

/** All but repetitions on emulated matrix units, whose kernels take seconds to compile: of those that emulate the same kernels, the first. */
export const casesToRun: OracleCase[] = oracleCases.filter(({ emulated = {} }, index) => {
  const kernels = Object.keys(emulated);
  const emulatesAll = (other: OracleCase): boolean => kernels.every((kernel) => other.emulated?.[kernel] === emulated[kernel]);
  return kernels.length === 0 || oracleCases.findIndex(emulatesAll) === index;
});
