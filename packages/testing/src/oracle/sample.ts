import { packSamplingSettings, packSeen, sample as sampleOp, sampledProbabilities, seenSize, type SamplingSettings } from "@kto/tensor";
import { indices, Numbers, type OracleCase } from "../check/case.js";

/** The settings that leave everything as it is. */
export const plainSettings: SamplingSettings = {
  temperature: 1,
  topK: 0,
  topP: 1,
  minP: 0,
  repetitionPenalty: 1,
  seed: [7, 11],
  numDrawn: 0,
  seenRow: 0,
};

/** Ids with their weights that the settings leave of a row, in the order of their scores, the lowest id first among equals. */
export function keptOf(
  logits: ArrayLike<number>,
  { temperature, topK, topP, minP, repetitionPenalty }: SamplingSettings,
  history: ReadonlySet<number>,
): { id: number; weight: number }[] {
  const scored = Array.from(logits, (logit, id) => {
    const penalised = !history.has(id) ? logit : Math.fround(logit < 0 ? logit * repetitionPenalty : logit / repetitionPenalty);
    return { id, score: temperature > 0 ? Math.fround(penalised / Math.fround(temperature)) : penalised };
  });
  scored.sort((a, b) => b.score - a.score || a.id - b.id);
  if (temperature <= 0) return [{ id: scored[0]!.id, weight: 1 }];
  const largest = scored[0]!.score;
  const lowest = topK > 0 && topK < scored.length ? scored[topK - 1]!.score : -Infinity;
  const top = scored.filter(({ score }) => score >= lowest).map(({ id, score }) => ({ id, weight: Math.exp(score - largest) }));
  const total = top.reduce((sum, { weight }) => sum + weight, 0);
  let above = 0;
  return top.filter(({ weight }, index) => {
    const isKept = index === 0 || ((topP >= 1 || above < topP * total) && weight >= minP);
    above += weight;
    return isKept;
  });
}

/** Philox 4 × 32 with 10 rounds: the first word. */
function philox(id: number, draw: number, [low, high]: readonly [number, number]): number {
  let counter = [id, draw, 0, 0];
  let [keyLow, keyHigh] = [low, high];
  for (let round = 0; round < 10; round++) {
    const first = BigInt(0xd2511f53) * BigInt(counter[0]!);
    const second = BigInt(0xcd9e8d57) * BigInt(counter[2]!);
    const words = (product: bigint): [number, number] => [Number(product & 0xffffffffn), Number(product >> 32n)];
    const [[firstLow, firstHigh], [secondLow, secondHigh]] = [words(first), words(second)];
    counter = [(secondHigh ^ counter[1]! ^ keyLow) >>> 0, secondLow, (firstHigh ^ counter[3]! ^ keyHigh) >>> 0, firstLow];
    keyLow = (keyLow + 0x9e3779b9) >>> 0;
    keyHigh = (keyHigh + 0xbb67ae85) >>> 0;
  }
  return counter[0]!;
}

/** The id that waits least. */
export function drawn(logits: ArrayLike<number>, settings: SamplingSettings, history: ReadonlySet<number>): number {
  let [id, least] = [-1, Infinity];
  for (const kept of keptOf(logits, settings, history)) {
    const wait = -Math.log1p(-(philox(kept.id, settings.numDrawn, settings.seed) + 0.5) / 2 ** 32) / kept.weight;
    if (wait < least) [id, least] = [kept.id, wait];
  }
  return id;
}

interface Row extends Partial<SamplingSettings> {
  history?: number[];
}

/** Rows of random logits, each with settings of its own; rows of `seen` are in the reverse order. `values` makes a logit of a normal number. */
function sampleCase(
  name: string,
  vocabSize: number,
  rows: Row[],
  values: (normal: number, id: number) => number = (x) => 3 * x,
): OracleCase {
  const numbers = new Numbers(vocabSize + rows.length);
  const data = Float64Array.from({ length: rows.length * vocabSize }, (_, i) => Math.fround(values(numbers.normal(), i % vocabSize)));
  const settings = rows.map((row, index) => ({ ...plainSettings, numDrawn: index, ...row, seenRow: rows.length - 1 - index }));
  const seen = new Uint32Array(rows.length * seenSize(vocabSize));
  rows.forEach(({ history = [] }, index) => seen.set(packSeen(history, vocabSize), (rows.length - 1 - index) * seenSize(vocabSize)));
  const packed = packSamplingSettings(settings);
  return {
    name: `sample ${name}: ${rows.length} × ${vocabSize}`,
    inputs: {
      logits: { data, shape: [rows.length, vocabSize], dtype: "f32", needsGradient: false },
      settings: { ...indices([...packed]), shape: [rows.length, packed.length / rows.length] },
      seen: { ...indices([...seen]), shape: [rows.length, seenSize(vocabSize)] },
    },
    forward: ({ logits }) => ({
      y: Float64Array.from(rows, ({ history = [] }, row) =>
        drawn(logits!.subarray(row * vocabSize, (row + 1) * vocabSize), settings[row]!, new Set(history)),
      ),
    }),
    run: ({ logits, settings: table, seen: mask }) => ({ y: sampleOp(logits!, table!, mask!).ids }),
    errorClass: "exact",
  };
}

/** The same rows' probabilities, of what the draw kept. */
function probabilitiesCase(drawing: OracleCase, rows: readonly Row[]): OracleCase {
  const { logits, seen } = drawing.inputs;
  const vocabSize = logits!.shape[1]!;
  return {
    ...drawing,
    name: drawing.name.replace("sample", "sampledProbabilities"),
    inputs: { ...drawing.inputs, seenAfter: seen! },
    forward: ({ logits: values }) => ({
      y: Float64Array.from(
        rows.flatMap((row, index) => {
          const of = values!.subarray(index * vocabSize, (index + 1) * vocabSize);
          const kept = keptOf(of, { ...plainSettings, ...row }, new Set(row.history));
          const total = kept.reduce((sum, { weight }) => sum + weight, 0);
          const probabilities = new Float64Array(vocabSize);
          for (const { id, weight } of kept) probabilities[id] = weight / total;
          return [...probabilities];
        }),
      ),
    }),
    run: ({ logits: values, settings, seen: before, seenAfter }) => ({
      y: sampledProbabilities(values!, settings!, before!, sampleOp(values!, settings!, seenAfter!).state),
    }),
    errorClass: "rowReduction",
  };
}

const many = (row: Row, count = 6): Row[] => Array.from({ length: count }, () => row);

const keeping: Row[] = [
  { temperature: 0.7, topK: 20, topP: 0.8 },
  { topP: 0.9, repetitionPenalty: 1.2, history: [1, 30, 64] },
  { minP: 0.1 },
  { temperature: 0 },
];

export const sampleCases: OracleCase[] = [
  probabilitiesCase(sampleCase("what is kept", 65, keeping), keeping),
  sampleCase("one id", 1, [{}, { topK: 5 }, { topP: 0.5 }]),
  sampleCase("greedy", 70, [
    { temperature: 0 },
    { temperature: 0, repetitionPenalty: 5, history: Array.from({ length: 60 }, (_, id) => id) },
  ]),
  sampleCase("everything", 333, many({})),
  sampleCase("top-k, top-p and min-p", 333, [
    ...many({ temperature: 0.7, topK: 20, topP: 0.8 }),
    ...many({ temperature: 1.5, topK: 50, minP: 0.1 }),
  ]),
  sampleCase("a penalty", 65, many({ topK: 3, repetitionPenalty: 1.3, history: [0, 31, 32, 33, 64] })),
  sampleCase("top-p alone", 333, [
    ...many({ topP: 0.9 }, 3),
    ...many({ topP: 0.05, temperature: 2 }, 2),
    { topP: 0.5, minP: 0.2 },
    { minP: 0.3 },
  ]),
  sampleCase("a list of the largest of many", 5000, many({ topK: 40, topP: 0.95 }, 4)),
  sampleCase("a narrow list of many", 3000, many({ topK: 500 }, 3), (x, id) => (id < 4 ? 60 + id : 0.01 * x)),
  sampleCase("a top-k of too many for a list", 3000, many({ topK: 2000, topP: 0.7 }, 2)),
  sampleCase("equal scores", 200, [...many({ topK: 1 }, 3), ...many({ topP: 0.3 }, 3), { topK: 50, topP: 0.01 }], () => 1),
  sampleCase("more equal scores than a list has", 2500, [{ topK: 10 }, { topK: 10, topP: 0.5 }], (_x, id) => (id % 2 === 0 ? -0 : 0)),
];
