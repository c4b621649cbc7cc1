export { expectFreePort, type RunningServer, serve, type ServerOptions } from "./node/serve.js";
