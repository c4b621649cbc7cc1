import type { Io, TextSink } from "../io.js";
import { colorsOf } from "./colors.js";
import { maxWidth } from "./console.js";
import { shownText } from "./terminal-text.js";

/** How a result that is text is set. */
export interface OutputStyle {
  /** Columns to fill. */
  width: number;
  colors: ReturnType<typeof colorsOf>;
  /** Text of rows as it may be shown. */
  shown(text: string): string;
}

/** The style of a stream: within the window of a terminal, in colours there, and nothing in the text that it would obey. */
export function outputStyle(sink: TextSink, env: Io["env"]): OutputStyle {
  return {
    width: Math.min(maxWidth, (sink.isTTY === true && sink.columns) || maxWidth),
    colors: colorsOf(sink, env),
    shown: (text) => shownText(text, sink),
  };
}
