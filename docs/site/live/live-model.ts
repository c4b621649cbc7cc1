import { readText, type ByteDirectory } from "@kto/core";
import { TextGenerator, type GenerationModel } from "@kto/generate";
import { loadCausalLM, type DecoderForCausalLM } from "@kto/qwen2";
import { requestDevice, type Device } from "@kto/tensor";
import { loadTokenizer, type Tokenizer } from "@kto/tokenizer";
import { examine } from "../../../examples/quickstart/src/accuracy.js";
import { questionText, trainSums } from "../../../examples/quickstart/src/sums.js";
import type { Answers } from "./answers.js";

/** The quickstart's model with what belongs to it. */
export type LiveModel = DecoderForCausalLM & {
  /** What adapters name as their base. */
  name: string;
  tokenizer: Tokenizer;
  generationConfig: Readonly<Record<string, unknown>>;
};

/** A model on a device of its own. */
export interface OpenedModel extends Disposable {
  device: Device;
  model: LiveModel;
}

// From the packages that do the work rather than through the front door, which knows the hub, GGUF files and more that this page would load in vain.

/** Opens the GPU and puts the model on it, in f32, so that no device needs f16 and all compute the same. Throws CapabilityError and what loading a model throws. */
export async function openLiveModel(files: ByteDirectory, signal?: AbortSignal): Promise<OpenedModel> {
  const device = await requestDevice();
  try {
    const model = await loadCausalLM(files, { device, dtype: "f32", signal });
    const generationConfig = JSON.parse((await readText(files, "generation_config.json"))!) as LiveModel["generationConfig"];
    const tokenizer = await loadTokenizer(files);
    return {
      device,
      model: Object.assign(model, { name: files.name, tokenizer, generationConfig }),
      [Symbol.dispose]: () => device.dispose(),
    };
  } catch (error) {
    device.dispose();
    throw error;
  }
}

/** Asks each of the sums that training never asks, once, at temperature 1. */
export async function takeExam(model: GenerationModel, signal?: AbortSignal): Promise<Answers> {
  const { answers } = await examine(model, { timesEach: 1, signal });
  return answers.map(({ text }) => text);
}

/** The likeliest answer to a question, of the untrained model and, where it carries an adapter, of the trained one. */
export async function askBoth(model: GenerationModel, question: string): Promise<{ before: string; after: string | undefined }> {
  using generator = new TextGenerator(model, { maxRows: 2 });
  const ask = (adapter: null | undefined): Promise<{ text: string }> =>
    generator.generate({ messages: [{ role: "user", content: question }], doSample: false, adapter }).result;
  const [before, after] = await Promise.all([ask(null), "base" in model ? ask(undefined) : undefined]);
  return { before: before.text, after: after?.text };
}

/** Answers of the untrained model to questions that training may ask, at temperature 1. The same seed draws the same. */
export async function drawAnswers(
  model: GenerationModel,
  { count, seed }: { count: number; seed: number },
): Promise<{ question: string; text: string }[]> {
  using generator = new TextGenerator(model, { maxRows: count });
  const questions = Array.from({ length: count }, (_, index) => questionText(trainSums[(seed * count + index) % trainSums.length]!));
  const results = questions.map(
    (content, index) =>
      generator.generate({ messages: [{ role: "user", content }], doSample: true, topK: 0, seed: seed * 1000 + index, adapter: null })
        .result,
  );
  const texts = await Promise.all(results);
  return questions.map((question, index) => ({ question, text: texts[index]!.text }));
}
