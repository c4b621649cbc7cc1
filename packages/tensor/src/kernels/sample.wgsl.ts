import { defineKernel, read, write, always, type Kernel } from "./define-kernel.js";
import { computeMain, oneThreadPer } from "./lib/grid.js";
import { reduceEnables, reduceMax, reduceSum } from "./lib/reduce.js";
import { rowGrid, rowHead } from "./lib/rows.js";
import { agreement, orderOf, samplingStateSize, scoresOfRow, waitOf } from "./lib/sampling.js";
import { cutInAll } from "./lib/sampling-all.js";
import { cutInList } from "./lib/sampling-list.js";
import { vocabularyVariants, type VocabularySpec } from "./lib/vocabulary.js";
import { wgsl } from "./wgsl.js";

/**
 * Draws an id for each row from softmax(score) over what top-k, top-p and min-p leave, in transformers' order, with score = penalised logit / temperature:
 *
 *   kept by top-k:  score ≥ the k-th largest score
 *   kept by top-p:  the sum of the weights e^(score − largest) that stand above it is below topP · their sum
 *   kept by min-p:  weight ≥ minP
 *
 * Temperature 0 takes the largest score, the lowest id among equals. What is kept is all above one score (`cut`), and at it the ids up to `lastTie`, so a
 * workgroup a row looks for these two: among the largest scores, gathered and sorted in workgroup memory where they suffice, else bit by bit through all. A lane
 * that has a row to itself goes through all. The id is then the one that waits least (see `waitOf`): the draw depends on the row's seed, count and scores
 * alone. `seen` is told of it.
 */
export type SampleSpec = VocabularySpec;

export const sampleKernel: Kernel<SampleSpec, "logits" | "settings" | "seen" | "ids" | "state", "numRows" | "vocabSize"> =
  defineKernel<SampleSpec>()({
    name: "sample",
    bindings: { logits: read("f32"), settings: read("u32"), seen: write("u32"), ids: write("u32"), state: write("f32") },
    params: { numRows: "u32", vocabSize: "u32" },
    variants: vocabularyVariants<SampleSpec>(),
    cost: ({ numRows, vocabSize }) => ({ bytes: 12 * numRows * vocabSize, flops: 0 }),
    grid: ({ numRows }, spec) => rowGrid(numRows, spec),
    enables: reduceEnables,
    examples: [{ fewIds: false }, { fewIds: true }],
    wgsl: (spec) => wgsl`
    // Of the row: largest and smallest score, sum of the kept weights, what top-k, top-p and min-p ask for.
    var<private> largest: f32;
    var<private> smallest: f32;
    var<private> total: f32;
    var<private> topK: u32;
    var<private> topP: f32;
    var<private> minP: f32;
    // What is found: scores above cut are kept, and at it the ids up to lastTie.
    var<private> cut: f32;
    var<private> lastTie: u32;

    ${orderOf}
    ${scoresOfRow()}
    ${waitOf}
    ${reduceMax(spec)}
    ${reduceSum(spec)}
    fn weightOf(score: f32) -> f32 { return exp(score - largest); }
    ${agreement(spec)}
    // The lowest of the ids that lanes have found, none being LIMIT.
    fn lowestId(id: u32, lane: u32) -> u32 { return u32(-reduceMax(-f32(id), lane)); }
    ${spec.rowPerLane ? "" : cutInList(spec)}
    ${cutInAll(spec)}

    ${computeMain(spec)} {
      ${rowHead(spec)}
      readRow(row);
      topK = min(setting(row, 4u), params.vocabSize);
      topP = bitcast<f32>(setting(row, 1u));
      minP = bitcast<f32>(setting(row, 2u));
      var best = -3.4e38;
      var worst = 3.4e38;
      var bestId = 0u;
      for (var id = firstCol; id < params.vocabSize; id += colStep) {
        let score = scoreOf(id);
        if (score > best) { best = score; bestId = id; }
        worst = min(worst, score);
      }
      largest = reduceMax(best, firstCol);
      smallest = -reduceMax(-worst, firstCol);
      let isGreedy = uniformly(u32(temperature <= 0.0), firstCol) != 0u;
      var drawn = lowestId(select(params.vocabSize, bestId, best == largest), firstCol);
      cut = largest;
      lastTie = drawn;
      total = 1.0;
      if (!isGreedy) {
        ${spec.rowPerLane ? inAll : inListOrAll}
      }
      if (firstCol != 0u) { return; }
      ids[row] = drawn;
      seen[seenBase + drawn / 32u] |= 1u << (drawn % 32u);
      let at = row * ${samplingStateSize}u;
      state[at] = cut;
      state[at + 1u] = bitcast<f32>(lastTie);
      state[at + 2u] = largest;
      state[at + 3u] = total;
    }

    fn draw(row: u32, fromList: bool, firstCol: u32, colStep: u32) -> u32 {
      var least = 3.4e38;
      var found = params.vocabSize;
      for (var i = firstCol; i < ${spec.rowPerLane ? "params.vocabSize" : "select(params.vocabSize, LIST, fromList)"}; i += colStep) {
        var id = i;
        var score: f32;
        ${spec.rowPerLane ? "score = scoreOf(i);" : scoreInList}
        if (score < cut || (score == cut && id > lastTie)) { continue; }
        let wait = waitOf(row, id, weightOf(score));
        if (wait < least || (wait == least && id < found)) { least = wait; found = id; }
      }
      let first = -reduceMax(-least, firstCol);
      return lowestId(select(params.vocabSize, found, least == first), firstCol);
    }`,
  });

const inAll = wgsl`
  cutInAll(firstCol);
  drawn = draw(row, false, firstCol, colStep);`;

const inListOrAll = wgsl`
  let sufficient = findList(firstCol);
  if (sufficient) { cutInList(firstCol); } else { cutInAll(firstCol); }
  drawn = draw(row, sufficient, firstCol, colStep);`;

const scoreInList = wgsl`
  if (fromList) {
    id = listIds[i];
    score = listScores[i];
    if (id >= params.vocabSize) { continue; }
  } else { score = scoreOf(i); }`;

/** probabilities[row, id] = e^(score − largest) / total where the draw of `sample` keeps the id, else 0; `seen` as it was before.  One thread per element. */
export type SampledProbabilitiesSpec = { workgroupSize: number };

export const sampledProbabilitiesKernel: Kernel<
  SampledProbabilitiesSpec,
  "logits" | "settings" | "seen" | "state" | "probabilities",
  "numRows" | "vocabSize"
> = defineKernel<SampledProbabilitiesSpec>()({
  name: "sampledProbabilities",
  bindings: { logits: read("f32"), settings: read("u32"), seen: read("u32"), state: read("f32"), probabilities: write("f32") },
  params: { numRows: "u32", vocabSize: "u32" },
  variants: [{ name: "plain", when: always, spec: { workgroupSize: 64 } }],
  grid: ({ numRows, vocabSize }, { workgroupSize }) => oneThreadPer(numRows * vocabSize, workgroupSize),
  examples: [{}],
  wgsl: (spec) => wgsl`
    ${scoresOfRow()}

    ${computeMain(spec)} {
      let i = foldedIndex(group, groups) * WORKGROUP_SIZE + lane;
      let row = i / params.vocabSize;
      if (row >= params.numRows) { return; }
      readRow(row);
      let id = i % params.vocabSize;
      let score = scoreOf(id);
      let at = row * ${samplingStateSize}u;
      let isKept = score > state[at] || (score == state[at] && id <= bitcast<u32>(state[at + 1u]));
      probabilities[i] = select(0.0, exp(score - state[at + 2u]) / state[at + 3u], isKept);
    }`,
});
