export { DEFAULT_CHAT_TEMPLATE, STAND_IN_CHAT_TEMPLATE } from "./default-template.js";
export type { CopiedReasoning } from "./conversation.js";
export { TemplateError } from "./errors.js";
export type { NamedChatTemplate } from "./named/named-template.js";
export { chatTemplateNames, findChatTemplate, namedChatTemplate } from "./named/named-templates.js";
export { DEFAULT_LIMITS, type RenderLimits } from "./jinja/budget.js";
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
