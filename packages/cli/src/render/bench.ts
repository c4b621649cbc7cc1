import type { CaseResult, Measurement } from "@kto/bench";
import type { AdapterInfo } from "../load/adapter-info.js";
import type { Io } from "../io.js";
import { formatNumber } from "./format.js";
import { outputStyle } from "./output-style.js";

/** Columns of a name at most: longer ones push the rest to the right. */
const widestName = 44;

/** What a case came to, as text: a heading, a line a measurement, and below it what its time went to. */
export function caseLines(
  { case: name, shape, device, measurements }: CaseResult & { device: AdapterInfo | null },
  io: Pick<Io, "stdout" | "env">,
): string[] {
  const { colors, width } = outputStyle(io.stdout, io.env);
  const where = device === null ? "" : ` · ${device.name}`;
  const column = Math.min(widestName, Math.max(0, ...measurements.map((one) => one.name.length)));
  const lines = measurements.flatMap((one) => {
    const text = `  ${one.name.padEnd(column)}  ${figuresOf(one).join(" · ")}`;
    return [...fitted(text, width, column + 4), ...kernelLines(one, width)];
  });
  return [colors.bold(`${name} · ${shape}${where}`), ...lines];
}

/** The time first, then what it means. */
function figuresOf({ milliseconds, tflops, gigabytesPerSecond, shareOfCopy, tokensPerSecond, beside, facts = {} }: Measurement): string[] {
  return [
    `${formatNumber(milliseconds)} ms`,
    ...(tflops === undefined ? [] : [`${formatNumber(tflops, 3)} TFLOP/s`]),
    ...(gigabytesPerSecond === undefined ? [] : [`${formatNumber(gigabytesPerSecond, 3)} GB/s`]),
    ...(shareOfCopy === undefined ? [] : [`${formatNumber(100 * shareOfCopy, 2)} % of a copy`]),
    ...(tokensPerSecond === undefined ? [] : [`${formatNumber(Math.round(tokensPerSecond), 6)} tokens/s`]),
    ...(beside === undefined ? [] : [`${formatNumber(milliseconds / beside.milliseconds, 3)} × the time of ${beside.program}`]),
    ...Object.entries(facts).flatMap(([fact, value]) =>
      value === undefined || Number.isNaN(value) ? [] : [`${wordsOf(fact)} ${formatNumber(value)}`],
    ),
  ];
}

function kernelLines({ kernels = [], facts }: Measurement, width: number): string[] {
  const total = facts?.["kernelMilliseconds"];
  return kernels.map(({ label, count, milliseconds }) => {
    const share = total === undefined ? "" : `${((100 * milliseconds) / total).toFixed(0).padStart(3)} %`;
    return `  ${milliseconds.toFixed(2).padStart(9)} ms ${share} ${String(count).padStart(5)} × ${label}`.slice(0, Math.max(width, 40));
  });
}

/** A line, broken at its dots where it is wider than the window. */
function fitted(text: string, width: number, indent: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of text.split(" · ")) {
    if (line !== "" && line.length + 3 + part.length > width) {
      lines.push(line);
      line = `${" ".repeat(Math.min(indent, width - part.length))}${part}`;
    } else line = line === "" ? part : `${line} · ${part}`;
  }
  return [...lines, line];
}

/** A name of code as words. */
function wordsOf(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
}
