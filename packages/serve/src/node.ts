export { isLoopback } from "./node/loopback.js";
export { type RunningServer, serve, type ServerOptions } from "./node/serve.js";
