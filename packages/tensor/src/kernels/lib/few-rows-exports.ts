/** What a kernel for few rows of other weights is made of: `@kto/nf4` has those of four bits. */
export { type FewRowsResult, plainResult } from "./few-rows-result.js";
export {
  fewRowsBindings,
  fewRowsBody,
  fewRowsEnables,
  fewRowsGrid,
  fewRowsParameters,
  fewRowsUnused,
  fewRowsVariants,
  type FewRowsSpec,
  type FewRowsWeights,
} from "./few-rows.js";
export {
  fewRowsMatrixBody,
  fewRowsMatrixEnables,
  fewRowsMatrixGrid,
  type FewRowsMatrixSpec,
  fewRowsMatrixVariants,
  type MatrixWeights,
  tilePitch,
} from "./few-rows-matrix.js";
