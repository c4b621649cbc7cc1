import { wgsl } from "../wgsl.js";

/** `fn sigmoid(x: type) -> type`: 1 / (1 + e^(−x)) with an exponential that cannot overflow; `type` is f32, a vector of it or an alias. */
export function sigmoidFunction(type: string): string {
  return wgsl`
    fn sigmoid(x: ${type}) -> ${type} {
      let e = exp(-abs(x));
      return select(e, ${type}(1.0), x >= ${type}(0.0)) / (1.0 + e);
    }`;
}
