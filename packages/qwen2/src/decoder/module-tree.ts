import type { LinearShape, ModuleTree, Shape } from "@kto/tensor";
import type { DecoderArchitecture, NormPart, Projection } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { isProjection } from "./weight-specs.js";

/** What stands at the places of a decoder that hold something: by the path of a linear layer, and for embedding and head. */
export interface ModulesAt {
  linear(path: string): object | undefined;
  readonly input: object;
  readonly output: object;
}

/** Every module of a decoder with its dotted path, as transformers names them and in its order. */
export function* decoderModules(
  { embedding, layers, layer, norm, outputEmbedding }: DecoderArchitecture,
  { numHiddenLayers }: Pick<DecoderConfig, "numHiddenLayers">,
  { linear, input, output }: ModulesAt,
): Generator<readonly [path: string, module: object], void, undefined> {
  yield [layers.slice(0, layers.lastIndexOf(".")), {}];
  yield [embedding, input];
  yield [layers, {}];
  for (let index = 0; index < numHiddenLayers; index++) {
    const path = `${layers}.${index}`;
    yield [path, {}];
    const named = new Set<string>();
    for (const part of Object.values<NormPart | Projection>({ ...layer })) {
      const block = part.path.split(".").slice(0, -1).join(".");
      if (block !== "" && !named.has(block)) yield [`${path}.${block}`, {}];
      named.add(block);
      yield [`${path}.${part.path}`, linear(`${path}.${part.path}`) ?? {}];
    }
  }
  yield [norm, {}];
  yield [outputEmbedding, output];
}

/** Last names of the projections that peft adapts where a config names none. */
export function defaultTargetModules({ layer }: DecoderArchitecture): string[] {
  const parts = Object.values<NormPart | Projection>({ ...layer });
  return parts.filter((part) => isProjection(part) && part.isDefaultTarget).map(({ path }) => path.slice(path.lastIndexOf(".") + 1));
}

/** A model as the places where adapters can go, from its config alone: shapes, no weights. */
export function decoderTree(architecture: DecoderArchitecture, config: DecoderConfig): ModuleTree {
  const { modelType, vocabSize, hiddenSize } = config;
  const shapes = new Map<string, LinearShape>();
  for (let index = 0; index < config.numHiddenLayers; index++) {
    for (const part of Object.values<NormPart | Projection>({ ...architecture.layer })) {
      if (!isProjection(part)) continue;
      shapes.set(`${architecture.layers}.${index}.${part.path}`, { inFeatures: part.from(config), outFeatures: part.to(config) });
    }
  }
  const shape: Shape = [vocabSize, hiddenSize];
  const embedding = { own: { shape }, replacement: undefined, take: () => undefined };
  return {
    modelType,
    outputEmbedding: architecture.outputEmbedding,
    defaultTargetModules: defaultTargetModules(architecture),
    namedModules: () =>
      decoderModules(architecture, config, { linear: (path) => shapes.get(path), input: embedding, output: { ...embedding } }),
  };
}
