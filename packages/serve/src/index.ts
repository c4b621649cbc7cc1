export { createApp, type ServeApp } from "./app.js";
export { type ErrorBody, RequestError } from "./errors.js";
export type { RequestDefaults, ServedModel, ServedRequest, ServeOptions } from "./options.js";
