export { GenerationError } from "./errors.js";
export { GenerationEngine, type EngineOptions } from "./engine/engine.js";
export { type FinishReason, Row, type RowRequest } from "./engine/row.js";
