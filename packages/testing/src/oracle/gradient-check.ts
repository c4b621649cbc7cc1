import { gradientOf, valuesOf, type OracleCase } from "../check/case.js";
import { differenceAt, spreadPlaces } from "../check/differences.js";

/** How a gradient of an oracle compares with central differences: the worst relative difference over the coordinates tried. */
export interface GradientCheck {
  input: string;
  worst: number;
}

/** Coordinates of an input that are tried, each of which costs two forward passes: fewer in cases of many elements, whose kind a small one has too. */
const coordinates = { of: 25, ofLarge: 6 };
const largeCase = 4096; // elements of all inputs

/**
 * Compares an oracle's vjp with central differences of f = Σ dy · y in float64, at coordinates spread over each input. A difference is taken relative to
 * the derivative, or to a thousandth of the input's largest one.
 */
export function checkGradients(oracle: OracleCase): GradientCheck[] {
  const values = valuesOf(oracle);
  const reference = (inputs: typeof values): Float64Array => oracle.forward(inputs)["y"]!;
  const dy = gradientOf(reference(values));
  const gradients = oracle.vjp!(values, dy);
  const numElements = Object.values(oracle.inputs).reduce((sum, { data }) => sum + data.length, 0);
  const most = numElements > largeCase ? coordinates.ofLarge : coordinates.of;
  return Object.entries(oracle.inputs)
    .filter(([, { needsGradient }]) => needsGradient)
    .map(([input]) => {
      const gradient = gradients[input]!;
      const largest = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      let worst = 0;
      for (const place of spreadPlaces(gradient.length, most)) {
        const difference = differenceAt(reference, values, input, place, dy);
        worst = Math.max(worst, Math.abs(gradient[place]! - difference) / Math.max(Math.abs(difference), 1e-3 * largest, 1e-9));
      }
      return { input, worst };
    });
}
