export { isLoopback } from "./node/loopback.js";
export { expectFreePort, type RunningServer, serve, type ServerOptions } from "./node/serve.js";
