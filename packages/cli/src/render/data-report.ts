import type { DataNote, DataRow, RowFormat } from "@kto/datasets";
import { describeBalance, describeDrop, type DataReport, type DroppedRow, type ReportSample } from "@kto/trainer";
import { fieldName } from "../errors.js";
import { maxWidth, wrap, type Console } from "./console.js";
import { formatCount } from "./format.js";

/** What is said of data when there is no tokenizer. */
export interface RawReport {
  columns: string[];
  unreadColumns: string[];
  format: RowFormat;
  counts: { source: number; prepared: null; dropped: null };
  classBalance: { desirable: number; undesirable: number };
  /** Rows that are dropped whatever the tokenizer; a prompt may be too long besides. */
  dropped: DroppedRow[];
  notes: DataNote[];
  /** Rows as they stand in the file, and each completion with its prompt as text. */
  samples: { row: DataRow; texts: string[] }[];
}

/** Most rows that are listed as dropped. */
const droppedShown = 10;

/** A report as lines of text. */
export function renderDataReport(report: DataReport, console: Console): string[] {
  const { columns, unreadColumns, format, counts, classBalance, lengths, histogram, dropped, samples } = report;
  const lines = [
    ...columnFacts(columns, unreadColumns, format),
    ...fact(
      "rows",
      `${formatCount(counts.source)} in the file, ${formatCount(counts.prepared)} to train on, ${formatCount(counts.dropped)} dropped, ${formatCount(lengths.numTruncated)} cut`,
    ),
    ...fact("classes", `${formatCount(classBalance.desirable)} desirable, ${formatCount(classBalance.undesirable)} undesirable`),
  ];
  for (const part of ["prompt", "completion", "sequence"] as const) {
    const { min, mean, median, max } = lengths[part];
    lines.push(...fact(part, `${min} to ${max} tokens, mean ${mean.toFixed(1)}, median ${median}`));
  }
  const warning = describeBalance(classBalance, fieldName);
  if (warning !== undefined) lines.push(...fact("warning", warning));
  const most = Math.max(1, ...histogram.map(({ count }) => count));
  lines.push("", "tokens a row");
  for (const { from, to, count } of histogram.slice(histogram.findIndex(({ count }) => count > 0))) {
    lines.push(`${`${from}–${to - 1}`.padStart(12)} ${"█".repeat(Math.ceil((count / most) * 48))} ${count}`);
  }
  return [...lines, ...droppedLines(dropped), ...samples.flatMap((sample) => renderSample(sample, console))];
}

/** A report as `--json` prints it, with its reasons and its warning as sentences. */
export function plainDataReport({ classBalance, dropped, ...report }: DataReport | RawReport): object {
  const warning = describeBalance(classBalance, fieldName);
  return {
    ...report,
    classBalance: { ...classBalance, ...(warning === undefined ? {} : { warning }) },
    dropped: dropped.map(({ reason, ...row }) => ({ ...row, kind: reason.kind, reason: describeDrop(reason, fieldName) })),
  };
}

function columnFacts(columns: readonly string[], unread: readonly string[], { type, conversational, layout }: RowFormat): string[] {
  const from = layout === type || layout === "unpaired" ? "" : `, made of ${layout}`;
  return [
    ...fact("columns", columns.join(", ")),
    ...(unread.length > 0 ? fact("not read", unread.join(", ")) : []),
    ...fact("format", `${type}${conversational ? ", conversational" : ""}${from}`),
  ];
}

function droppedLines(dropped: readonly DroppedRow[]): string[] {
  if (dropped.length === 0) return [];
  const shown = dropped.slice(0, droppedShown);
  const more = dropped.length - shown.length;
  return [
    "",
    "dropped",
    ...shown.flatMap(({ index, label, reason }) => {
      const side = label === undefined ? "" : label ? " (chosen)" : " (rejected)";
      return wrap(`row ${index}${side}: ${describeDrop(reason, fieldName)}`, maxWidth - 2).map((part) => `  ${part}`);
    }),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** A raw report as lines of text. */
export function renderRawReport({ columns, unreadColumns, format, counts, classBalance, dropped, samples }: RawReport): string[] {
  return [
    ...columnFacts(columns, unreadColumns, format),
    ...fact("rows", `${formatCount(counts.source)} in the file`),
    ...fact("classes", `${formatCount(classBalance.desirable)} desirable, ${formatCount(classBalance.undesirable)} undesirable`),
    ...droppedLines(dropped),
    ...samples.flatMap(({ texts }, index) =>
      texts.flatMap((text) => [
        "",
        `row ${index}`,
        ...text.split("\n").flatMap((line) => chunks(line, maxWidth - 2).map((part) => `  ${part}`)),
      ]),
    ),
  ];
}

/** The text of a sample, its scored part marked: underlined in colour, in brackets otherwise. */
function renderSample({ sourceIndex, label, promptText, completionText, tokens }: ReportSample, { colors }: Console): string[] {
  const scored = tokens.filter((token) => token.scored).length;
  const lines = ["", `row ${sourceIndex} · ${label ? "desirable" : "undesirable"} · ${tokens.length} tokens, ${scored} scored`];
  if (promptText === undefined || completionText === undefined) {
    const ids = tokens.map(({ id, scored: isScored }) => (isScored ? `[${id}]` : String(id))).join(" ");
    return [...lines, ...wrap(ids, maxWidth - 2).map((line) => `  ${line}`)];
  }
  const show = (text: string): string[] => text.split("\n").flatMap((line) => chunks(line, maxWidth - 2));
  lines.push(...show(promptText).map((line) => `  ${colors.dim(line)}`));
  lines.push("  scored:");
  lines.push(...show(completionText).map((line) => `  ${colors.green(line)}`));
  const words = tokens.map(({ text = "", scored: isScored }) => {
    const shown = text.replaceAll("\n", "⏎").replaceAll(" ", "·");
    return isScored ? `[${shown}]` : shown;
  });
  return [...lines, "  tokens, the scored ones in brackets:", ...wrap(words.join(" "), maxWidth - 4).map((line) => `    ${line}`)];
}

function fact(name: string, value: string): string[] {
  return wrap(value, maxWidth - 12).map((part, index) => `${(index === 0 ? name : "").padEnd(12)}${part}`);
}

function chunks(text: string, width: number): string[] {
  return Array.from({ length: Math.max(1, Math.ceil(text.length / width)) }, (_, index) => text.slice(index * width, (index + 1) * width));
}
