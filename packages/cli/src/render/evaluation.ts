import type { Comparison, LogRecord } from "@kto/trainer";
import { formatCounted, formatNumber } from "./format.js";

/** Metrics as lines: those with an interval in one line with it; of two models beside each other, bounds in lines of their own. At most 80 wide. */
export function metricLines(first: LogRecord, against: LogRecord | undefined): string[] {
  if (!against) {
    const names = Object.keys(first).filter((name) => !/_(low|high)$/.test(name) || first[name.replace(/_(low|high)$/, "")] === undefined);
    return names.map((name) => `${name.padEnd(31)}${withBounds(first, name)}`);
  }
  const names = [...new Set([...Object.keys(first), ...Object.keys(against)])];
  const line = (name: string, ...columns: string[]): string =>
    `${name.padEnd(36)}${columns.map((column) => column.padEnd(16)).join("")}`.trimEnd();
  return [
    line("", "the first", "against"),
    ...names.map((name) => line(name, formatNumber(first[name], 6), formatNumber(against[name], 6))),
  ];
}

/** Two models compared, in lines of at most 80. */
export function comparisonLines(comparison: Comparison): string[] {
  const { by, kind, rows, wins, losses, ties, winRate, difference, signTestP, accuracy } = comparison;
  const what = kind === "pairs" ? formatCounted(rows.length, "pair") : formatCounted(rows.length, "row");
  const value = kind === "pairs" ? "margins" : kind === "labelled" ? "signed" : "a token";
  return [
    `compared            ${what} by ${by}, ${value}: the first minus the other`,
    `mean difference     ${formatNumber(difference.estimate)} [${formatNumber(difference.low)}, ${formatNumber(difference.high)}] (95 %, paired bootstrap)`,
    `better, worse, same ${wins}, ${losses}, ${ties}: win rate ${formatNumber(winRate)}, sign test p ${formatNumber(signTestP)}`,
    ...(accuracy
      ? [
          `right alone         ${accuracy.onlyFirst}, the other ${accuracy.onlyAgainst}: McNemar's exact test p ${formatNumber(accuracy.mcnemarP)}`,
        ]
      : []),
  ];
}

/** A comparison in the one object of `--json`. */
export function comparisonJson({
  by,
  kind,
  rows,
  wins,
  losses,
  ties,
  winRate,
  difference,
  signTestP,
  accuracy,
}: Comparison): Record<string, unknown> {
  return {
    by,
    kind,
    rows: rows.length,
    difference: difference.estimate,
    difference_low: difference.low,
    difference_high: difference.high,
    wins,
    losses,
    ties,
    win_rate: winRate,
    sign_test_p: signTestP,
    ...(accuracy && { only_first_right: accuracy.onlyFirst, only_against_right: accuracy.onlyAgainst, mcnemar_p: accuracy.mcnemarP }),
  };
}

function withBounds(record: LogRecord, name: string): string {
  const [value, low, high] = [record[name], record[`${name}_low`], record[`${name}_high`]];
  if (low === undefined || high === undefined) return formatNumber(value, 6);
  return `${formatNumber(value)} [${formatNumber(low)}, ${formatNumber(high)}]`;
}
