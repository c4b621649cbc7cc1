import picocolors from "picocolors";
import type { Io, TextSink } from "../io.js";

type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for a terminal, none otherwise; `NO_COLOR` turns them off. */
export function colorsOf({ isTTY }: TextSink, env: Io["env"]): Colors {
  return picocolors.createColors(isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb");
}
