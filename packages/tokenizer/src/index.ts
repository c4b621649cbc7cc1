export { TemplateError } from "@kto/chat-templates";
export { TokenizerError } from "./errors.js";
export type { FileContent, TokenizerFiles } from "./files.js";
export { loadTokenizer } from "./load-tokenizer.js";
export { type PromptCompletion, splitPromptCompletion, type SplitOptions, type SplitTokenizer } from "./split.js";
export { type ApplyChatTemplateOptions, Tokenizer } from "./tokenizer.js";
