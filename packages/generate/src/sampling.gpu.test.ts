import {
  packSamplingSettings,
  packSeen,
  requestDevice,
  sample,
  sampledProbabilities,
  type Device,
  type SamplingSettings,
} from "@kto/tensor";
import { openSafetensorsFile } from "@kto/safetensors/node";
import { asTypedArray } from "@kto/safetensors";
import { fixturePath, readFixtureJson } from "@kto/testing/workspace";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

let device: Device;
beforeAll(async () => {
  device = await requestDevice();
});
afterAll(() => device.dispose());

const off: SamplingSettings = { temperature: 1, topK: 0, topP: 1, minP: 0, repetitionPenalty: 1, seed: [1, 2], numDrawn: 0, seenRow: 0 };

interface Distribution {
  logits: number;
  settings: number;
  temperature: number;
  top_k?: number;
  top_p?: number;
  min_p?: number;
  repetition_penalty?: number;
  history: number[] | null;
  kept: number;
}

describe("what transformers' processors leave", async () => {
  const cases = readFixtureJson<Distribution[]>("generation/distributions.json");
  await using file = await openSafetensorsFile(fixturePath("generation/distributions.safetensors"));
  const read = async (name: string): Promise<Float32Array> => asTypedArray((await file.read(name)).data, "F32");
  const data = await Promise.all(
    cases.map(async ({ logits, settings }) => [await read(`logits.${logits}`), await read(`probabilities.${logits}.${settings}`)] as const),
  );

  it.each(cases.map((one, index) => [`logits ${one.logits}, settings ${one.settings}`, one, index] as const))(
    "%s",
    async (_name, one, index) => {
      const [values, expected] = data[index]!;
      const vocabSize = values.length;
      using logits = device.tensor(values, [1, vocabSize], "f32");
      const settings = device.tensor(
        packSamplingSettings([
          {
            ...off,
            temperature: one.temperature,
            topK: one.top_k ?? 0,
            topP: one.top_p ?? 1,
            minP: one.min_p ?? 0,
            repetitionPenalty: one.repetition_penalty ?? 1,
          },
        ]),
        [1, 9],
        "u32",
      );
      const history = packSeen(one.history ?? [], vocabSize);
      using before = device.tensor(history, [1, history.length], "u32");
      using seen = device.tensor(history, [1, history.length], "u32");
      const { ids, state } = sample(logits, settings, seen);
      using probabilities = sampledProbabilities(logits, settings, before, state);
      const found = (await probabilities.read()) as Float32Array;
      expect(found.filter((p) => p > 0)).toHaveLength(one.kept);
      // which of equal scores are kept is left open by torch's sort: the probabilities are compared in order of their size
      const sorted = (list: Float32Array): number[] => [...list].sort((a, b) => b - a);
      const [ours, theirs] = [sorted(found), sorted(expected)];
      expect(Math.max(...ours.map((p, i) => Math.abs(p - theirs[i]!)))).toBeLessThan(1e-6);
      const [drawn] = await ids.read();
      expect(found[drawn!]).toBeGreaterThan(0);
    },
  );
});
