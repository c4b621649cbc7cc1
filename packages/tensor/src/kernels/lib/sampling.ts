import { wgsl } from "../wgsl.js";
import type { RowSpec } from "./rows.js";

/** Words that a row has in the settings: temperature, topP, minP, repetitionPenalty (f32), topK, the seed in two words, how many were drawn before, and its row of `seen` (u32). */
export const samplingSettingsSize = 9;

/** Numbers that a draw leaves of a row: cut score, the last id that is kept at it (bits of a u32), largest score, sum of the kept weights. */
export const samplingStateSize = 4;

/**
 * What the kernels share: the settings of a row, and the score of an id after repetition penalty and temperature.
 * Needs the bindings `logits`, `settings` and `seen` (a bit for each id that the row has had), and `params.vocabSize`.
 */
export function scoresOfRow(): string {
  return wgsl`
    var<private> base: u32;
    var<private> seenBase: u32;
    var<private> temperature: f32;
    var<private> penalty: f32;

    fn setting(row: u32, index: u32) -> u32 { return settings[row * ${samplingSettingsSize}u + index]; }

    fn readRow(row: u32) {
      base = row * params.vocabSize;
      seenBase = setting(row, 8u) * ((params.vocabSize + 31u) / 32u);
      temperature = bitcast<f32>(setting(row, 0u));
      penalty = bitcast<f32>(setting(row, 3u));
    }

    // transformers' order: a score that was seen is divided by the penalty, or multiplied where it is negative; then by the temperature
    fn scoreOf(id: u32) -> f32 {
      var score = logits[base + id];
      let bits = seen[seenBase + id / 32u];
      if (((bits >> (id % 32u)) & 1u) != 0u) { score = select(score / penalty, score * penalty, score < 0.0); }
      return select(score, score / temperature, temperature > 0.0);
    }`;
}

/** `fn uniformly(value: u32, lane: u32) -> u32`: the same in every lane that shares a row, as the compiler sees it, for branches around barriers. Every lane says the same. */
export function agreement({ rowPerLane }: RowSpec): string {
  if (rowPerLane) return "fn uniformly(value: u32, lane: u32) -> u32 { return value; }";
  return wgsl`
    var<workgroup> flag: u32;
    fn uniformly(value: u32, lane: u32) -> u32 {
      if (lane == 0u) { flag = value; }
      return workgroupUniformLoad(&flag);
    }`;
}

/** `fn orderOf(score: f32) -> u32`: a number whose order among u32 is that of the score. */
export const orderOf: string = wgsl`
  fn orderOf(score: f32) -> u32 {
    let bits = bitcast<u32>(select(score, 0.0, score == 0.0)); // one zero
    return bits ^ select(0x80000000u, 0xffffffffu, (bits >> 31u) == 1u);
  }
  fn scoreFrom(order: u32) -> f32 {
    return bitcast<f32>(order ^ select(0xffffffffu, 0x80000000u, (order >> 31u) == 1u));
  }`;

/**
 * `fn waitOf(id: u32, weight: f32) -> f32`: how long an event waits that comes at the rate `weight`; the id that waits least is drawn with a
 * probability in proportion to its weight, whatever order the ids are looked at in. Uniform numbers are Philox 4 × 32 with 10 rounds
 * (Salmon et al., 2011) of the seed, the id and the number of the draw. Needs `setting`.
 */
export const waitOf: string = wgsl`
  fn mulWide(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let first = (a >> 16u) * (b & 0xffffu);
    let second = (a & 0xffffu) * (b >> 16u);
    let middle = (low >> 16u) + (first & 0xffffu) + (second & 0xffffu);
    return vec2<u32>(a * b, (a >> 16u) * (b >> 16u) + (first >> 16u) + (second >> 16u) + (middle >> 16u));
  }
  fn waitOf(row: u32, id: u32, weight: f32) -> f32 {
    var counter = vec4<u32>(id, setting(row, 7u), 0u, 0u);
    var key = vec2<u32>(setting(row, 5u), setting(row, 6u));
    for (var round = 0u; round < 10u; round++) {
      let first = mulWide(0xd2511f53u, counter.x);
      let second = mulWide(0xcd9e8d57u, counter.z);
      counter = vec4<u32>(second.y ^ counter.y ^ key.x, second.x, first.y ^ counter.w ^ key.y, first.x);
      key += vec2<u32>(0x9e3779b9u, 0xbb67ae85u);
    }
    let u = (f32(counter.x) + 0.5) * 2.3283064e-10; // in (0, 1]
    let wait = select(-log(1.0 - u), u + 0.5 * u * u, u < 1e-3); // exact where it is small, which decides
    return wait / weight;
  }`;
