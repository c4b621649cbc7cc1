/** Counts of the two classes and what trl recommends for their weights. */
export interface ClassBalance {
  desirable: number;
  undesirable: number;
  /** Recommended [least, most] `desirableWeight` while the other weight stays; absent when the classes are equal. */
  desirableRange?: [number, number];
  /** Recommended [least, most] `undesirableWeight` while the other weight stays; absent when the classes are equal. */
  undesirableRange?: [number, number];
  /** Present when a class is missing or neither weight is in its range; `describeBalance` says it. */
  warning?: BalanceWarning;
}

/** What is wrong with the sizes of the classes. */
export type BalanceWarning = "class missing" | "out of balance";

/** The weights of the two classes, both 1 by default. */
export interface ClassWeights {
  desirableWeight?: number;
  undesirableWeight?: number;
}

/** The paper's upper bound of the ratio of weighted class sizes, as trl takes it. */
const MOST_RATIO = 1.33;

/**
 * trl's check of class balance, with n_D and n_U at least 1 and bounds rounded to two decimals as Python does:
 *
 *   desirableRange   = [n_U · w_U / n_D,  1.33 · n_U · w_U / n_D]
 *   undesirableRange = [n_D · w_D / n_U / 1.33,  n_D · w_D / n_U]
 *
 * A warning unless a weight lies in its range; nothing is changed.
 *
 * @see arXiv 2402.01306 (KTO) on imbalanced data; trl 1.16, KTOTrainer
 */
export function classBalance(labels: Iterable<boolean>, { desirableWeight = 1, undesirableWeight = 1 }: ClassWeights = {}): ClassBalance {
  const counts = { desirable: 0, undesirable: 0 };
  for (const label of labels) counts[label ? "desirable" : "undesirable"] += 1;
  const numRows = counts.desirable + counts.undesirable;
  const numDesirable = Math.max(counts.desirable, 1);
  const numUndesirable = Math.max(numRows - numDesirable, 1);
  if (numDesirable === numUndesirable) return { ...counts, ...missingClass(counts) };

  const least = (numUndesirable * undesirableWeight) / numDesirable;
  const most = (numDesirable * desirableWeight) / numUndesirable;
  const desirableRange: [number, number] = [roundTo2(least), roundTo2(least * MOST_RATIO)];
  const undesirableRange: [number, number] = [roundTo2(most / MOST_RATIO), roundTo2(most)];
  const balanced = within(desirableWeight, desirableRange) || within(undesirableWeight, undesirableRange);
  return { ...counts, desirableRange, undesirableRange, ...(!balanced && { warning: "out of balance" }), ...missingClass(counts) };
}

/** The warning about the classes as a sentence, with the config fields as `spell` writes them; undefined where there is none. */
export function describeBalance(
  { desirable, undesirable, desirableRange = [0, 0], undesirableRange = [0, 0], warning }: ClassBalance,
  spell: (field: string) => string = (field) => field,
): string | undefined {
  if (warning === undefined) return undefined;
  if (warning === "class missing") {
    const [present, absent] = desirable > 0 ? ["desirable", "undesirable"] : ["undesirable", "desirable"];
    return `every row is ${present}: without ${absent} rows there is no margin to learn from`;
  }
  return `the classes are out of balance (${desirable} desirable, ${undesirable} undesirable rows): set ${spell("desirableWeight")} within [${desirableRange.join(", ")}] or ${spell("undesirableWeight")} within [${undesirableRange.join(", ")}]`;
}

function missingClass({ desirable, undesirable }: { desirable: number; undesirable: number }): { warning?: BalanceWarning } {
  return (desirable > 0 && undesirable > 0) || desirable + undesirable === 0 ? {} : { warning: "class missing" };
}

function within(value: number, [least, most]: [number, number]): boolean {
  return least <= value && value <= most;
}

/** Python's `round(value, 2)`: the nearest hundredth of the exact binary value, and the even one of two equally near. */
function roundTo2(value: number): number {
  const rounded = Number(value.toFixed(2));
  const isTie = Number.isInteger(value * 8) && !Number.isInteger(value * 4); // only odd eighths lie exactly between two hundredths
  return isTie && Math.round(rounded * 100) % 2 !== 0 ? (Math.round(rounded * 100) - 1) / 100 : rounded;
}
