import type { Metrics } from "./run.js";

/** Values of the lines of a text, and what is wrong with lines that are none. */
export interface JsonLines {
  values: Record<string, unknown>[];
  problems: string[];
}

/** Words that Python writes for numbers that are none. */
const noNumbers = /(?<=[:,[]\s*)(?:NaN|-?Infinity)(?=\s*[,}\]])/g;

/**
 * The objects of a file of JSON lines. A last line without its end was being written, or its writer was killed: it is left out and told of; so are others that are no
 * objects. NaN and infinities become null.
 *
 * @param before  lines of the file that stand before the text
 */
export function jsonLines(file: string, text: string, before = 0): JsonLines {
  const values: Record<string, unknown>[] = [];
  const problems: string[] = [];
  const lines = text.split("\n");
  lines.forEach((line, index) => {
    if (line.trim() === "") return;
    const value = objectOf(line);
    if (value) values.push(value);
    else if (index === lines.length - 1) problems.push(`${file}: the last line is cut off and was left out`);
    else problems.push(`${file}: line ${before + index + 1} is no JSON object and was left out`);
  });
  return { values, problems };
}

/** The object that a JSON text holds, or undefined. */
export function objectOf(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text.replace(noNumbers, "null"));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

/** The numbers among the values of an object; null stays null, others go. */
export function metricsOf(value: Readonly<Record<string, unknown>>): Metrics {
  const isMetric = ([, number]: [string, unknown]): boolean => number === null || typeof number === "number";
  return Object.fromEntries(Object.entries(value).filter(isMetric)) as Metrics;
}
