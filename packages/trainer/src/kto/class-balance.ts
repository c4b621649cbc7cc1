/** Counts of the two classes and what trl recommends for their weights. */
export interface ClassBalance {
  desirable: number;
  undesirable: number;
  /** Recommended [least, most] `desirableWeight` while the other weight stays; absent when the classes are equal. */
  desirableRange?: [number, number];
  /** Recommended [least, most] `undesirableWeight` while the other weight stays; absent when the classes are equal. */
  undesirableRange?: [number, number];
  /** One sentence for the user when a class is missing or neither weight is in its range. */
  warning?: string;
}

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
  const outside = `the classes are out of balance (${counts.desirable} desirable, ${counts.undesirable} undesirable rows): set desirableWeight within [${desirableRange.join(", ")}] or undesirableWeight within [${undesirableRange.join(", ")}]`;
  return { ...counts, desirableRange, undesirableRange, ...(!balanced && { warning: outside }), ...missingClass(counts) };
}

function missingClass({ desirable, undesirable }: { desirable: number; undesirable: number }): { warning?: string } {
  if ((desirable > 0 && undesirable > 0) || desirable + undesirable === 0) return {};
  const [present, absent] = desirable > 0 ? ["desirable", "undesirable"] : ["undesirable", "desirable"];
  return { warning: `every row is ${present}: without ${absent} rows there is no margin to learn from` };
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
