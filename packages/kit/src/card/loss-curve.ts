import { numberText } from "./markdown.js";

/** A loss by updates. */
export interface LossPoint {
  step: number;
  loss: number;
}

const [WIDTH, HEIGHT] = [720, 320];
const [LEFT, RIGHT, TOP, BOTTOM] = [64, 16, 16, 44];
/** More points than there are columns say nothing more. */
const MAX_POINTS = 360;
const TICKS = 4;

/**
 * The loss of a run as SVG, with that of its evaluations where there were any; undefined for fewer than two values. It says in words what it shows, and is
 * read on light and dark grounds.
 */
export function lossCurve(training: readonly LossPoint[], evaluations: readonly LossPoint[] = []): string | undefined {
  if (training.length < 2) return undefined;
  const [train, evaluated] = [averaged(training), averaged(evaluations)];
  const all = [...train, ...evaluated];
  const [firstStep, lastStep] = [Math.min(...all.map(({ step }) => step)), Math.max(...all.map(({ step }) => step))];
  const [low, high] = [Math.min(...all.map(({ loss }) => loss)), Math.max(...all.map(({ loss }) => loss))];
  const margin = high > low ? (high - low) * 0.05 : Math.max(Math.abs(high) * 0.05, 1e-3);
  const [bottom, top] = [low - margin, high + margin];
  const x = (step: number): number => LEFT + ((step - firstStep) / Math.max(lastStep - firstStep, 1)) * (WIDTH - LEFT - RIGHT);
  const y = (loss: number): number => HEIGHT - BOTTOM - ((loss - bottom) / (top - bottom)) * (HEIGHT - TOP - BOTTOM);
  const line = (points: readonly LossPoint[], color: string): string =>
    `<polyline fill="none" stroke="${color}" stroke-width="2" stroke-linejoin="round" points="${points.map(({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`).join(" ")}"/>`; // prettier-ignore
  const [first, last] = [training[0]!, training.at(-1)!];
  const losses = Array.from({ length: TICKS + 1 }, (_, index) => low + ((high - low) * index) / TICKS).slice(high > low ? 0 : TICKS);
  const steps = [...new Set(Array.from({ length: TICKS + 1 }, (_, index) => Math.round(firstStep + ((lastStep - firstStep) * index) / TICKS)))]; // prettier-ignore
  const lastEvaluated = evaluations.at(-1);
  const also = lastEvaluated ? `; the loss of the evaluations ends at ${numberText(lastEvaluated.loss)}` : "";
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title desc" font-family="system-ui, sans-serif" font-size="12">`,
    `<title id="title">Training loss</title>`,
    `<desc id="desc">The training loss goes from ${numberText(first.loss)} at update ${first.step} to ${numberText(last.loss)} at update ${last.step}${also}.</desc>`,
    ...losses.map((loss) => `<path d="M${LEFT} ${y(loss).toFixed(1)}H${WIDTH - RIGHT}" stroke="#808080" stroke-opacity="0.3"/><text x="${LEFT - 8}" y="${(y(loss) + 4).toFixed(1)}" text-anchor="end" fill="#808080">${numberText(loss)}</text>`), // prettier-ignore
    ...steps.map(
      (step) => `<text x="${x(step).toFixed(1)}" y="${HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#808080">${step}</text>`,
    ),
    `<text x="${(WIDTH + LEFT - RIGHT) / 2}" y="${HEIGHT - 8}" text-anchor="middle" fill="#808080">update</text>`,
    line(train, "#3b82f6"),
    ...(evaluated.length > 0 ? [line(evaluated, "#d97706")] : []),
    ...evaluated.map(({ step, loss }) => `<circle cx="${x(step).toFixed(1)}" cy="${y(loss).toFixed(1)}" r="3" fill="#d97706"/>`),
    legend(evaluated.length > 0),
    `</svg>`,
    "",
  ].join("\n");
}

function legend(hasEvaluations: boolean): string {
  const entry = (name: string, color: string, at: number): string =>
    `<path d="M${at} 24h16" stroke="${color}" stroke-width="2"/><text x="${at + 22}" y="28" fill="#808080">${name}</text>`;
  const right = WIDTH - RIGHT;
  return hasEvaluations ? entry("training", "#3b82f6", right - 180) + entry("evaluation", "#d97706", right - 90) : entry("training", "#3b82f6", right - 76); // prettier-ignore
}

/** Means of neighbouring points where there are too many. */
function averaged(points: readonly LossPoint[]): readonly LossPoint[] {
  if (points.length <= MAX_POINTS) return points;
  return Array.from({ length: MAX_POINTS }, (_, index) => {
    const start = Math.floor((index * points.length) / MAX_POINTS);
    const part = points.slice(start, Math.floor(((index + 1) * points.length) / MAX_POINTS));
    const mean = (of: (point: LossPoint) => number): number => part.reduce((sum, point) => sum + of(point), 0) / part.length;
    return { step: mean(({ step }) => step), loss: mean(({ loss }) => loss) };
  });
}
