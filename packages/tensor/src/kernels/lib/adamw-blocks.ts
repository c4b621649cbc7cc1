import { correctlyRounded } from "./correctly-rounded.js";
import { wgsl } from "../wgsl.js";

/** Elements of a block of optimiser state; a block lies within one parameter. */
export const stateBlockSize = 256;

/**
 * What the kernels on blocks of state have in common, for four elements at a time: which elements a word has, the moments after a step, and the
 * parameter after it. `blocks` holds two u32 per block, where it starts in `weights` (a multiple of 4) and how many elements it has.
 */
export function adamwBlocks(spec: { exact: boolean }): string {
  return wgsl`
    struct Moments { m: vec4<f32>, v: vec4<f32> }
    // Four elements: their place in weights, the gradients, and which of them take part.
    struct Elements { place: u32, g: vec4<f32>, exists: vec4<bool>, moves: vec4<bool> }

    ${correctlyRounded(spec)}

    fn elementsOf(block: u32, word: u32) -> Elements {
      let place = blocks[2u * block] / 4u + word;
      let exists = vec4<u32>(4u * word) + vec4<u32>(0u, 1u, 2u, 3u) < vec4<u32>(blocks[2u * block + 1u]);
      let infinity = vec4<u32>(0x7f800000u);
      let isFinite = (bitcast<vec4<u32>>(grads[place]) & infinity) != infinity;
      let moves = exists & isFinite;
      let g = select(vec4<f32>(), grads[place], moves);
      return Elements(place, rounded(clipFactor() * g), exists, moves);
    }
    fn momentsAfter(old: Moments, at: Elements) -> Moments {
      let m = rounded(rounded(old.m * hyper[0]) + rounded(hyper[1] * at.g));
      let v = rounded(rounded(old.v * hyper[2]) + rounded(rounded(hyper[3] * at.g) * at.g));
      return Moments(select(vec4<f32>(), m, at.moves), select(vec4<f32>(), v, at.moves));
    }
    fn updateWeights(after: Moments, at: Elements) {
      if (!any(at.moves)) { return; } // past a short block lies another parameter, which another lane may be writing
      let p = weights[at.place];
      let change = divide(rounded(hyper[4] * after.m), rounded(squareRoot(after.v) + hyper[5]));
      weights[at.place] = select(p, rounded(rounded(p + change) * hyper[6]), at.moves);
    }`;
}
