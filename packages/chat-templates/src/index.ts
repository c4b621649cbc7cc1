export { DEFAULT_CHAT_TEMPLATE } from "./default-template.js";
export { TemplateError } from "./errors.js";
export {
  type ChatMessage,
  checkChatTemplate,
  hasGenerationBlocks,
  renderChat,
  renderChatTemplate,
  type RenderedChat,
  type RenderOptions,
} from "./render.js";
export { applyChatTemplateTask, type ChatTemplateTask, type TemplateRenderer } from "./tasks.js";
