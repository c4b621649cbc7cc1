export { TemplateError } from "@kto/chat-templates";
export type { ChosenTemplate } from "./chat-template-files.js";
export { TokenizerError } from "./errors.js";
export type { FileContent, TokenizerFiles } from "./files.js";
export { getChatTemplate } from "./get-chat-template.js";
export { loadTokenizer } from "./load-tokenizer.js";
export type { MessageMapping, TemplateMessage } from "./message-mapping.js";
export { type PromptCompletion, splitPromptCompletion, type SplitOptions, type SplitTokenizer } from "./split.js";
export { type ApplyChatTemplateOptions, type RenderedConversation, Tokenizer, type TokenizerParts } from "./tokenizer.js";
