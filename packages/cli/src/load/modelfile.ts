import { ollamaModelfile, turnParts } from "@kto/gguf-export";
import type { ModelFiles, OpenGgufModel } from "@kto/kit";

/** The Modelfile of a model in one file or several kinds; `note` says what it lacks. */
export function modelfileOf(files: ModelFiles, model: OpenGgufModel, names: readonly string[]): { text: string; note: string | undefined } {
  const { tokenizer } = files;
  const bos = tokenizer?.bosToken ?? undefined;
  const hasTemplate = tokenizer !== undefined && tokenizer.templateFor().source !== "stand-in";
  const turns = hasTemplate
    ? turnParts(
        (messages) =>
          tokenizer.applyChatTemplate(
            messages.map((turn) => ({ ...turn })),
            { addGenerationPrompt: true, tokenize: false },
          ),
        bos,
      )
    : undefined;
  const [from = "", ...others] = names;
  const stop = tokenizer?.eosToken ?? undefined;
  const addsBos = bos !== undefined && tokenizer!.encode("a")[0] === tokenizer!.bosTokenId;
  const text = ollamaModelfile({
    from,
    others,
    turns,
    addsBos,
    stop: stop === undefined ? [] : [stop],
    generationConfig: model.generationConfig,
  });
  if (turns) return { text, note: undefined };
  const why = hasTemplate ? "the chat template writes more than turns" : "the model has no chat template";
  return { text, note: `${why}: the Modelfile has no TEMPLATE, and Ollama takes ${hasTemplate ? "that of the GGUF file" : "none"}` };
}
