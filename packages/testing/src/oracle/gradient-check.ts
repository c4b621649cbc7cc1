import { gradientOf, valuesOf, type Arrays, type OracleCase } from "./case.js";

/** How a gradient of an oracle compares with central differences: the worst relative difference over the coordinates tried. */
export interface GradientCheck {
  input: string;
  worst: number;
}

const coordinatesPerInput = 25;

/**
 * Compares an oracle's vjp with central differences of f = Σ dy · y in float64, at up to 25 coordinates of each input. Two steps are combined so
 * that the error falls with the fourth power of the step. A difference is taken relative to the derivative, or to a thousandth of the input's
 * largest one.
 */
export function checkGradients(oracle: OracleCase): GradientCheck[] {
  const values = valuesOf(oracle);
  const dy = gradientOf(oracle.forward(values)["y"]!);
  const gradients = oracle.vjp!(values, dy);
  return Object.entries(oracle.inputs)
    .filter(([, { needsGradient }]) => needsGradient)
    .map(([input]) => {
      const gradient = gradients[input]!;
      const largest = gradient.reduce((a, b) => Math.max(a, Math.abs(b)), 0);
      const stride = Math.max(1, Math.floor(gradient.length / coordinatesPerInput));
      let worst = 0;
      for (let i = 0; i < gradient.length; i += stride) {
        const difference = derivative(oracle, values, input, i, dy);
        worst = Math.max(worst, Math.abs(gradient[i]! - difference) / Math.max(Math.abs(difference), 1e-3 * largest, 1e-9));
      }
      return { input, worst };
    });
}

/** ∂f / ∂input[index] as (4 · D(h/2) − D(h)) / 3 of the central differences D. */
function derivative(oracle: OracleCase, values: Arrays, input: string, index: number, dy: Float64Array): number {
  const moved = (by: number): Float64Array => {
    const copy = values[input]!.slice();
    copy[index]! += by;
    return oracle.forward({ ...values, [input]: copy })["y"]!;
  };
  const central = (h: number): number => {
    const [up, down] = [moved(h), moved(-h)];
    return dy.reduce((sum, gradient, i) => sum + gradient * (up[i]! - down[i]!), 0) / (2 * h);
  };
  const step = 1e-4 * Math.max(1, Math.abs(values[input]![index]!));
  return (4 * central(step / 2) - central(step)) / 3;
}
