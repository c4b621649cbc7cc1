import picocolors from "picocolors";
import type { Io } from "../io.js";

type Colors = ReturnType<typeof picocolors.createColors>;

/** Colours for a terminal, none otherwise; `NO_COLOR` turns them off. */
export function colorsOf({ stderr, env }: Pick<Io, "stderr" | "env">): Colors {
  return picocolors.createColors(stderr.isTTY === true && !env["NO_COLOR"] && env["TERM"] !== "dumb");
}
