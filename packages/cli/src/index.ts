export { ConfigError, errorLines, exitStatus, InterruptedError, NotBuiltError } from "./errors.js";
export type { Io, TextSink } from "./io.js";
export { main } from "./main.js";
