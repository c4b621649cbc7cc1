/** What a kernel for few rows of other weights is made of: `@kto/nf4` has those of four bits. */
export {
  depthWaysFor,
  fewRowsBindings,
  fewRowsBody,
  fewRowsEnables,
  fewRowsGrid,
  fewRowsParameters,
  fewRowsUnused,
  fewRowsVariants,
  type FewRowsResult,
  type FewRowsSpec,
  type FewRowsWeights,
  plainResult,
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
