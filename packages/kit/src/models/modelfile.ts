import type { Store } from "@kto/core";
import { type ExportedGguf, ollamaModelfile, turnParts } from "@kto/gguf-export";
import { answerEnds, conversation } from "./answer-ends.js";
import type { OpenGgufModel } from "./gguf-model.js";
import type { ModelFiles } from "./model-files.js";

/** What became of a Modelfile. */
export interface WrittenModelfile {
  /** In the store; undefined where none was written. */
  readonly path: string | undefined;
  /** What it lacks, or why there is none. */
  readonly note: string | undefined;
}

/**
 * Writes a Modelfile for `ollama create NAME -f Modelfile` beside GGUF files that were written, with the model's template and stop tokens: unless one is
 * there, or the model is in several files, which Ollama does not take.
 */
export async function writeModelfile(
  written: readonly ExportedGguf[],
  { files, model, store }: { files: ModelFiles; model: OpenGgufModel; store: Store },
): Promise<WrittenModelfile> {
  if (written.length > new Set(written.map(({ type }) => type)).size)
    return { path: undefined, note: "no Modelfile: Ollama takes models in one file" };
  const [folder] = /^(.*\/)?/.exec(written[0]!.path)!;
  const path = `${folder}Modelfile`;
  const there = await store.open(path);
  if (there) {
    await there.dispose?.();
    return { path: undefined, note: `${store.name}/${path} is there already, and stays as it is` };
  }
  const { text, note } = modelfileOf(
    files,
    model,
    written.map((file) => file.path.slice(folder.length)),
  );
  await store.write(path, text);
  return { path, note };
}

/** The Modelfile of a model in one file or several kinds; `note` says what it lacks. */
function modelfileOf(files: ModelFiles, model: OpenGgufModel, names: readonly string[]): { text: string; note: string | undefined } {
  const { tokenizer } = files;
  const bos = tokenizer?.bosToken ?? undefined;
  const hasTemplate = tokenizer !== undefined && tokenizer.templateFor().source !== "stand-in";
  const turns = hasTemplate ? turnParts((messages) => conversation(tokenizer, messages), bos) : undefined;
  const [from = "", ...others] = names;
  const addsBos = bos !== undefined && tokenizer!.encode("a")[0] === tokenizer!.bosTokenId;
  const text = ollamaModelfile({
    from,
    others,
    turns,
    hasTemplate,
    addsBos,
    stop: tokenizer ? answerEnds(tokenizer).stop : [],
    generationConfig: model.generationConfig,
  });
  if (turns) return { text, note: undefined };
  const why = hasTemplate ? "the chat template writes more than turns" : "the model has no chat template";
  return { text, note: `${why}: the Modelfile has no TEMPLATE, and Ollama takes ${hasTemplate ? "that of the GGUF file" : "none"}` };
}
