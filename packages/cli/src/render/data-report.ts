import type { DataNote, DataRow, RowFormat } from "@kto/datasets";
import { describeDrop, type DataReport, type DroppedRow, type ReportSequence } from "@kto/trainer";
import { fieldName } from "../errors.js";
import type { DataView, Fact, TrainMethod } from "../methods/index.js";
import { wrap } from "./console.js";
import { formatCount, formatCounted } from "./format.js";
import { histogramLines } from "./histogram.js";
import type { OutputStyle } from "./output-style.js";

/** What is said of data when there is no tokenizer, beside what is the method's own. */
export interface RawReport {
  columns: string[];
  unreadColumns: string[];
  format: RowFormat;
  counts: { source: number; prepared: null; dropped: null };
  /** Rows that are dropped whatever the tokenizer; a prompt may be too long besides. */
  dropped: DroppedRow[];
  notes: DataNote[];
  /** Rows as they stand in the file, and each completion with its prompt as text. */
  samples: { row: DataRow; texts: string[] }[];
}

/** The same with the method's facts. */
export interface RawView {
  report: RawReport;
  facts: readonly Fact[];
}

/** Most rows that are listed as dropped. */
const droppedShown = 10;

/** A report as lines of text, at most `width` wide but for words that are longer. */
export function renderDataView({ report, facts, sequences }: DataView, { unit, sequence }: TrainMethod, style: OutputStyle): string[] {
  const { width } = style;
  const fact = factOf(style);
  const { columns, unreadColumns, format, counts, lengths, histogram, dropped } = report;
  const isPairs = unit === "pair";
  const prepared = isPairs ? formatCounted(counts.prepared, unit) : formatCount(counts.prepared);
  const left = isPairs ? formatCounted(counts.dropped, "answer") : formatCount(counts.dropped);
  const lines = [
    ...columnFacts(columns, unreadColumns, format, style),
    ...fact(
      "rows",
      `${formatCount(counts.source)} in the file, ${prepared} to train on, ${left} dropped, ${formatCount(lengths.numTruncated)} cut`,
    ),
    ...facts.slice(0, 1).flatMap(([name, text]) => fact(name, text)),
  ];
  for (const part of ["prompt", "completion", "sequence"] as const) {
    const { min, mean, median, max } = lengths[part];
    lines.push(...fact(part, `${min} to ${max} tokens, mean ${mean.toFixed(1)}, median ${median}`));
  }
  lines.push(...facts.slice(1).flatMap(([name, text]) => fact(name, text)));
  const bins = histogram.slice(
    Math.max(
      0,
      histogram.findIndex(({ count }) => count > 0),
    ),
  );
  const bars = bins.map(({ from, to, count }) => ({ label: to - from === 1 ? String(from) : `${from}–${to - 1}`, count }));
  lines.push("", `tokens ${sequence}`, ...histogramLines(bars, width - 2).map((line) => `  ${line}`));
  return [...lines, ...droppedLines(dropped, style), ...sequences.flatMap((shown) => renderSequence(shown, style))];
}

/** A report as `--json` prints it, with its reasons as sentences. */
export function plainDataReport({ dropped, ...report }: DataReport | RawReport): object {
  return {
    ...report,
    dropped: dropped.map(({ reason, ...row }) => ({ ...row, kind: reason.kind, reason: describeDrop(reason, fieldName) })),
  };
}

function columnFacts(
  columns: readonly string[],
  unread: readonly string[],
  { type, conversational, layout }: RowFormat,
  style: OutputStyle,
): string[] {
  const fact = factOf(style);
  const from = layout === type || layout === "unpaired" ? "" : `, made of ${layout}`;
  return [
    ...fact("columns", columns.join(", ")),
    ...(unread.length > 0 ? fact("not read", unread.join(", ")) : []),
    ...fact("format", `${type}${conversational ? ", conversational" : ""}${from}`),
  ];
}

function droppedLines(dropped: readonly DroppedRow[], { width, shown: safe }: OutputStyle): string[] {
  if (dropped.length === 0) return [];
  const shown = dropped.slice(0, droppedShown);
  const more = dropped.length - shown.length;
  return [
    "",
    "dropped",
    ...shown.flatMap(({ index, label, reason }) => {
      const side = label === undefined ? "" : label ? " (chosen)" : " (rejected)";
      return wrap(safe(`row ${index}${side}: ${describeDrop(reason, fieldName)}`), width - 2).map((part) => `  ${part}`);
    }),
    ...(more > 0 ? [`  and ${more} more`] : []),
  ];
}

/** A raw report as lines of text, as {@link renderDataView}. */
export function renderRawView({ report, facts }: RawView, style: OutputStyle): string[] {
  const { width, shown } = style;
  const fact = factOf(style);
  const { columns, unreadColumns, format, counts, dropped, samples } = report;
  return [
    ...columnFacts(columns, unreadColumns, format, style),
    ...fact("rows", `${formatCount(counts.source)} in the file`),
    ...facts.flatMap(([name, text]) => fact(name, text)),
    ...droppedLines(dropped, style),
    ...samples.flatMap(({ texts }, index) =>
      texts.flatMap((text) => [
        "",
        `row ${index}`,
        ...shown(text)
          .split("\n")
          .flatMap((line) => chunks(line, width - 2).map((part) => `  ${part}`)),
      ]),
    ),
  ];
}

/** The text of a sequence, its scored part marked: underlined in colour, in brackets otherwise. */
function renderSequence(
  { sourceIndex, title, sequence }: DataView["sequences"][number],
  { colors, width, shown: safe }: OutputStyle,
): string[] {
  const { promptText, completionText, tokens }: ReportSequence = sequence;
  const scored = tokens.filter((token) => token.scored).length;
  const lines = ["", `row ${sourceIndex} · ${title}${title === "" ? "" : " · "}${formatCounted(tokens.length, "token")}, ${scored} scored`];
  if (promptText === undefined || completionText === undefined) {
    const ids = tokens.map(({ id, scored: isScored }) => (isScored ? `[${id}]` : String(id))).join(" ");
    return [...lines, ...wrap(ids, width - 2).map((line) => `  ${line}`)];
  }
  const show = (text: string): string[] =>
    safe(text)
      .split("\n")
      .flatMap((line) => chunks(line, width - 2));
  lines.push(...show(promptText).map((line) => `  ${colors.dim(line)}`));
  const isWhole = tokens.slice(tokens.findIndex((token) => token.scored)).every((token) => token.scored);
  lines.push(isWhole ? "  scored:" : "  from the first scored token on:");
  lines.push(...show(completionText).map((line) => `  ${colors.green(line)}`));
  const words = tokens.map(({ text = "", scored: isScored }) => {
    const shown = safe(text).replaceAll("\n", "⏎").replaceAll(" ", "·");
    return isScored ? `[${shown}]` : shown;
  });
  return [...lines, "  tokens, the scored ones in brackets:", ...wrap(words.join(" "), width - 4).map((line) => `    ${line}`)];
}

function factOf({ width, shown }: OutputStyle): (name: string, value: string) => string[] {
  return (name, value) => wrap(shown(value), width - 12).map((part, index) => `${(index === 0 ? name : "").padEnd(12)}${part}`);
}

function chunks(text: string, width: number): string[] {
  return Array.from({ length: Math.max(1, Math.ceil(text.length / width)) }, (_, index) => text.slice(index * width, (index + 1) * width));
}
