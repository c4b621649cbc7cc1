export { ConfigError, errorLines, exitStatus, InterruptedError } from "./errors.js";
export type { Io, TextSink } from "./io.js";
export { main } from "./main.js";
