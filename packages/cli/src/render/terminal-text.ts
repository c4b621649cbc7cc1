import type { TextSink } from "../io.js";

/** Control characters but tab and line break: a terminal would obey them. */
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** Text of a model as a terminal may show it: what would move its cursor or change its colours becomes U+FFFD. */
export function terminalText(text: string): string {
  return text.replaceAll(controls, "\ufffd");
}

/** Text of a model as it is written: whole into a file or a pipe, as {@link terminalText} into a terminal. */
export function shownText(text: string, { isTTY }: TextSink): string {
  return isTTY === true ? terminalText(text) : text;
}
