import { FormatError, type ByteDirectory, CapabilityError } from "@kto/core";
import { expectBitsandbytes, Linear4bit, type Nf4Weight } from "@kto/nf4";
import { openCheckpoint } from "@kto/safetensors";
import {
  cast,
  checkpoint,
  embedding,
  Linear,
  type LinearModule,
  linear,
  rmsNorm,
  ropeTables,
  ShapeError,
  type Device,
  type FloatDtype,
  type Tensor,
} from "@kto/tensor";
import { readQwen2Config, type Qwen2Config } from "./config.js";
import { decoderLayer, type DecoderLayerWeights, type RopeTables } from "./decoder-layer.js";
import { packRows, type TokenBatch } from "./token-batch.js";
import { loadWeights, type LoadProgress, type QuantizeOnLoad } from "./load-weights.js";
import { weightSpecs } from "./weight-specs.js";

/** Options of `Qwen2ForCausalLM.fromPretrained`. */
export interface FromPretrainedOptions {
  device: Device;
  /** Storage of matrices and type of GEMM operands; `auto` is f16 where the device has it. */
  dtype?: FloatDtype | "auto";
  /**
   * Quantise linear layers that the checkpoint holds in 16 or 32 bits while they load. A checkpoint of bitsandbytes is loaded as it is: the file
   * decides, layer by layer.
   */
  quantization?: QuantizeOnLoad | undefined;
  signal?: AbortSignal;
  onProgress?(progress: LoadProgress): void;
}

/** Options of a forward pass. */
export interface ForwardOptions {
  /** Run decoder layers again in the backward pass instead of keeping their activations: all, none (the default), or the first so many. */
  gradientCheckpointing?: boolean | number;
  /** Called with the residual stream after the embedding (index 0) and after each layer. */
  onHiddenState?(index: number, hidden: Tensor): void;
}

/** A Qwen2 decoder with its output head. Owns its weights; dispose it. */
export class Qwen2ForCausalLM implements Disposable {
  readonly modelType = "qwen2";
  readonly outputEmbedding = "lm_head";
  readonly config: Qwen2Config;
  readonly device: Device;
  /** Type of GEMM operands and of the stored matrices. */
  readonly dtype: FloatDtype;
  readonly layers: readonly DecoderLayerWeights[];
  readonly #weights: ReadonlyMap<string, Tensor>;
  readonly #quantized: ReadonlyMap<string, Nf4Weight>;
  #ropeTables: (RopeTables & { maxPositions: number }) | undefined;

  /** Takes over the weights: those of linear layers are either among `weights` or, in four bits, among `quantized`. */
  constructor(
    config: Qwen2Config,
    weights: ReadonlyMap<string, Tensor>,
    { device, dtype, quantized = new Map() }: { device: Device; dtype: FloatDtype; quantized?: ReadonlyMap<string, Nf4Weight> },
  ) {
    this.config = config;
    this.device = device;
    this.dtype = dtype;
    this.#weights = weights;
    this.#quantized = quantized;
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, index) => this.#layer(`model.layers.${index}`));
  }

  /**
   * Loads a checkpoint in Hugging Face layout: `config.json` and one or several safetensors files.
   * Throws FormatError, ShapeError or DtypeError naming file and tensor; QuantizationConfigError if something other than bitsandbytes quantised the
   * model; CapabilityError for f16 on a device without it.
   */
  static async fromPretrained(
    directory: ByteDirectory,
    { device, dtype = "auto", quantization, signal, onProgress }: FromPretrainedOptions,
  ): Promise<Qwen2ForCausalLM> {
    if (dtype === "f16" && !device.capabilities.shaderF16) {
      throw new CapabilityError(
        `fromPretrained: adapter "${device.capabilities.description}" lacks shader-f16; expected it for dtype "f16"; pass dtype "f32"`,
      );
    }
    const chosen = dtype === "auto" ? (device.capabilities.shaderF16 ? "f16" : "f32") : dtype;
    const json = await readJson(directory, "config.json");
    const config = readQwen2Config(json, `${directory.name}: config.json`);
    expectBitsandbytes(json, `${directory.name}: config.json`);
    const checkpointReader = await openCheckpoint(directory);
    try {
      const { weights, quantized } = await loadWeights(checkpointReader, config, {
        device,
        dtype: chosen,
        ...(quantization ? { quantization } : {}),
        ...(signal ? { signal } : {}),
        ...(onProgress ? { onProgress } : {}),
      });
      return new Qwen2ForCausalLM(config, weights, { device, dtype: chosen, quantized });
    } finally {
      await checkpointReader.dispose();
    }
  }

  /** A new model with weights N(0, std²) from `random` (which gives standard normals), f32 and trainable: for pretraining small models. */
  static initialize(
    config: Qwen2Config,
    { device, random, std = 0.02 }: { device: Device; random(): number; std?: number },
  ): Qwen2ForCausalLM {
    const weights = new Map<string, Tensor>();
    for (const { name, shape } of weightSpecs(config)) {
      const size = shape.reduce((product, n) => product * n, 1);
      const values = new Float32Array(size);
      if (name.endsWith("norm.weight")) values.fill(1);
      else if (!name.endsWith(".bias")) for (let i = 0; i < size; i++) values[i] = random() * std;
      weights.set(
        name,
        device.unscoped(() => device.tensor(values, shape, "f32", name)),
      );
    }
    return new Qwen2ForCausalLM(config, weights, { device, dtype: "f32" });
  }

  /** Weights by the name they have on disk, but those in four bits. */
  get weights(): ReadonlyMap<string, Tensor> {
    return this.#weights;
  }

  /** Weights of linear layers in four bits, by the name they have on disk. */
  get quantizedWeights(): ReadonlyMap<string, Nf4Weight> {
    return this.#quantized;
  }

  /** Bytes of all weights on the device. */
  get weightBytes(): number {
    return [...this.#weights.values(), ...this.#quantized.values()].reduce((total, { byteLength }) => total + byteLength, 0);
  }

  /** [vocabSize, hiddenSize], the output head (the embedding when they are tied). */
  get lmHead(): Tensor {
    return this.#weight(this.config.tieWordEmbeddings ? "model.embed_tokens.weight" : "lm_head.weight");
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  get numHiddenLayers(): number {
    return this.layers.length;
  }

  /** Number of parameters, a tied head counted once. */
  get numParameters(): number {
    const plain = [...this.#weights.values()].reduce((total, { size }) => total + size, 0);
    return [...this.#quantized.values()].reduce((total, { numElements }) => total + numElements, plain);
  }

  /** Modules that can carry an adapter, and the rest of the tree, by dotted path in the model's order. */
  *namedModules(): Generator<readonly [path: string, module: unknown]> {
    for (const [index, layer] of this.layers.entries()) {
      const at = `model.layers.${index}`;
      yield [`${at}.self_attn.q_proj`, layer.qProj];
      yield [`${at}.self_attn.k_proj`, layer.kProj];
      yield [`${at}.self_attn.v_proj`, layer.vProj];
      yield [`${at}.self_attn.o_proj`, layer.oProj];
      yield [`${at}.mlp.gate_proj`, layer.gateProj];
      yield [`${at}.mlp.up_proj`, layer.upProj];
      yield [`${at}.mlp.down_proj`, layer.downProj];
    }
  }

  /** Makes the rotary tables for rows up to this many tokens ahead of time. Throws ShapeError past `max_position_embeddings`. */
  prepare(maxRowLength: number): void {
    this.#rope(maxRowLength);
  }

  /** Concatenates rows of token ids into one batch without padding. */
  packRows(rows: readonly ArrayLike<number>[]): TokenBatch {
    return packRows(this.device, rows, this.config.vocabSize);
  }

  /**
   * The decoder's output after the final norm.
   *
   * @returns [numTokens, hiddenSize] in the model's dtype, ready for the output head
   */
  hiddenStates(batch: TokenBatch, { gradientCheckpointing = false, onHiddenState }: ForwardOptions = {}): Tensor {
    const { config, dtype } = this;
    const tables = this.#rope(Math.max(...batch.rowLengths));
    const keep = [batch.positions, batch.starts, batch.ends, tables.cos, tables.sin];
    let x = embedding(batch.inputIds, this.#weight("model.embed_tokens.weight")); // [numTokens, hiddenSize] f32
    onHiddenState?.(0, x);
    const checkpointed = gradientCheckpointing === true ? this.layers.length : Number(gradientCheckpointing);
    this.layers.forEach((layer, index) => {
      const run = (input: Tensor): Tensor => decoderLayer(input, layer, config, batch, tables, dtype);
      const previous = x;
      x = index < checkpointed ? checkpoint(run, x, { keep }) : this.device.scope(`layer ${index}`, () => run(previous));
      if (onHiddenState) onHiddenState(index + 1, x);
      else previous.dispose(); // what the tape needs of it is held there
    });
    const hidden = rmsNorm(x, this.#weight("model.norm.weight"), { eps: config.rmsNormEps, dtype }); // [numTokens, hiddenSize]
    if (!onHiddenState) x.dispose();
    return hidden;
  }

  /** All logits, for small inputs and sampling: [numTokens, vocabSize] f32. Training never builds them. */
  logits(hidden: Tensor): Tensor {
    return linear(cast(hidden, this.dtype), this.lmHead, undefined, { dtype: "f32" });
  }

  dispose(): void {
    for (const weight of [...this.#weights.values(), ...this.#quantized.values()]) weight.dispose();
    this.#ropeTables?.cos.dispose();
    this.#ropeTables?.sin.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** Tables grow by powers of two, so that most batches find them made. */
  #rope(length: number): RopeTables {
    const { maxPositionEmbeddings, headDim, ropeTheta } = this.config;
    if (length > maxPositionEmbeddings)
      throw new ShapeError(
        `forward: a row has ${length} tokens; expected at most ${maxPositionEmbeddings} (max_position_embeddings); shorten the row`,
      );
    if (this.#ropeTables && this.#ropeTables.maxPositions >= length) return this.#ropeTables;
    this.#ropeTables?.cos.dispose();
    this.#ropeTables?.sin.dispose();
    const maxPositions = Math.min(maxPositionEmbeddings, 2 ** Math.ceil(Math.log2(Math.max(length, 256))));
    const tables = this.device.unscoped(() => ropeTables(this.device, { headDim, theta: ropeTheta, maxPositions }));
    this.#ropeTables = { ...tables, maxPositions };
    return tables;
  }

  #weight(name: string): Tensor {
    return this.#weights.get(name)!;
  }

  #layer(at: string): DecoderLayerWeights {
    const weight = (name: string): Tensor => this.#weight(`${at}.${name}.weight`);
    const linearOf = (name: string): LinearModule => {
      const bias = this.#weights.get(`${at}.${name}.bias`);
      const quantized = this.#quantized.get(`${at}.${name}.weight`);
      return quantized ? new Linear4bit(quantized, bias) : new Linear(weight(name), bias);
    };
    return {
      inputLayernorm: weight("input_layernorm"),
      qProj: linearOf("self_attn.q_proj"),
      kProj: linearOf("self_attn.k_proj"),
      vProj: linearOf("self_attn.v_proj"),
      oProj: linearOf("self_attn.o_proj"),
      postAttentionLayernorm: weight("post_attention_layernorm"),
      gateProj: linearOf("mlp.gate_proj"),
      upProj: linearOf("mlp.up_proj"),
      downProj: linearOf("mlp.down_proj"),
    };
  }
}

async function readJson(directory: ByteDirectory, fileName: string): Promise<unknown> {
  const source = await directory.open(fileName);
  if (!source)
    throw new FormatError(
      `fromPretrained: ${directory.name} has no ${fileName}; expected a model folder in Hugging Face layout, with safetensors files; GGUF files and pickles are not read`,
      { source: directory.name },
    );
  try {
    const text = new TextDecoder().decode(await source.slice(0, source.byteLength));
    return JSON.parse(text);
  } catch (cause) {
    throw new FormatError(
      `fromPretrained: ${directory.name}: ${fileName} is not JSON: ${cause instanceof Error ? cause.message : String(cause)}`,
      { source: directory.name, cause },
    );
  } finally {
    await source.dispose?.();
  }
}
