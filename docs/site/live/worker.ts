import type { LiveRequest } from "./messages.js";
import { LiveSession } from "./session.js";

// The module worker of the page: training records thousands of launches a second, which would make the page stutter.

const session = new LiveSession((event) => postMessage(event));
addEventListener("message", ({ data }: MessageEvent<LiveRequest>) => session.take(data));
