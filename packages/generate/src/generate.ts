import type { GenerateOptions, Generation, GenerationModel } from "./generation.js";
import { TextGenerator } from "./text-generator.js";

/**
 * Answers one prompt and gives back the memory: a {@link TextGenerator} for a single answer.
 *
 *   for await (const { text } of generate(model, { messages })) process.stdout.write(text);
 *
 * Throws as `TextGenerator.generate`.
 */
export function generate(model: GenerationModel, options: GenerateOptions): Generation {
  const generator = new TextGenerator(model, { maxRows: 1 });
  try {
    const generation = generator.generate(options);
    const dispose = (): void => generator.dispose();
    generation.result.then(dispose, dispose);
    return generation;
  } catch (error) {
    generator.dispose();
    throw error;
  }
}
