export { answerEnd } from "./answer-end.js";
export { GenerationError } from "./errors.js";
export { GenerationEngine, type EngineOptions } from "./engine/engine.js";
export { type FinishReason, Row, type RowRequest } from "./engine/row.js";
export { generate } from "./generate.js";
export type {
  ChatMessage,
  GenerateOptions,
  Generation,
  GenerationModel,
  GenerationPiece,
  GenerationResult,
  GenerationTokenizer,
} from "./generation.js";
export { maxNewTokensOf, samplingSettings, type GenerationDefaults, type SamplingOptions } from "./sampling-options.js";
export { TextGenerator } from "./text-generator.js";
export type { TokenLogprob } from "@kto/tensor";
export { StopStrings } from "./text/stop-strings.js";
export { type Decoder, TextStream } from "./text/text-stream.js";
