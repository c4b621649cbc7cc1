import type { Store } from "@kto/core";
import { Linear4bit, type Nf4Weight } from "@kto/nf4";
import {
  cast,
  causalAttention,
  checkpoint,
  embedding,
  EmbeddingModule,
  Linear,
  linear,
  linearLogProbs,
  rmsNorm,
  sizeOf,
  type Attend,
  type AttentionHeads,
  type CausalLM,
  type DecodeStep,
  type Device,
  type FloatDtype,
  type HiddenStatesOptions,
  type LinearLogProbs,
  type LogProbsMetrics,
  type LinearModule,
  type PackRowsOptions,
  type ParameterBucket,
  type Tensor,
  type TokenBatch,
  type TrainableWeights,
} from "@kto/tensor";
import type { DecoderArchitecture, NormPart, Projection } from "./architecture.js";
import type { DecoderConfig } from "./config.js";
import { decodeHead, decodeLayer, projectedAt, type Stream } from "./decode.js";
import { decoderLayer, type DecoderLayer } from "./decoder-layer.js";
import { decoderModules, defaultTargetModules } from "./module-tree.js";
import { fingerprintOf } from "./fingerprint.js";
import { expectOffloadable, HostTable } from "./host-table.js";
import { frequenciesName } from "./rope-scaling.js";
import { RotaryTables } from "./rotary-tables.js";
import { savePretrained, type SavePretrainedOptions } from "./save.js";
import { gradientPlaces, packRows, type TokenPlaces } from "./token-batch.js";
import { weightsIn } from "./weight-buckets.js";
import { isProjection } from "./weight-specs.js";

/** Options of a forward pass. */
export interface ForwardOptions extends HiddenStatesOptions {
  /** Called with the residual stream after the embedding (index 0) and after each layer. */
  onHiddenState?: ((index: number, hidden: Tensor) => void) | undefined;
}

/** What a model is made of besides its config and weights. */
export interface DecoderParts {
  device: Device;
  /** Type of GEMM operands and of the stored matrices. */
  dtype: FloatDtype;
  /** Weights of linear layers in four bits. */
  quantized?: ReadonlyMap<string, Nf4Weight> | undefined;
  /** The fields of the config.json it was loaded with; without them those of a new model. */
  configJson?: Readonly<Record<string, unknown>> | undefined;
  /** What the weights are parts of, where every one of them can be trained; the model takes them over too. */
  buckets?: readonly ParameterBucket[] | undefined;
  /** Tables of a model of the same config, which owns them; default tables of its own. */
  rotary?: RotaryTables | undefined;
}

/** A decoder with its output head, of whatever family its architecture says. Owns its weights; dispose it. */
export class DecoderForCausalLM<Config extends DecoderConfig = DecoderConfig> implements CausalLM, Disposable {
  readonly architecture: DecoderArchitecture;
  readonly config: Config;
  /** The fields of config.json, also those that nothing here reads. */
  readonly configJson: Readonly<Record<string, unknown>>;
  readonly device: Device;
  /** Type of GEMM operands and of the stored matrices. */
  readonly dtype: FloatDtype;
  readonly layers: readonly DecoderLayer[];
  /** The linear layers of all decoder layers by dotted path, in the model's order: what can be adapted, and what can be in four bits. */
  readonly linearLayers: ReadonlyMap<string, LinearModule>;
  /** The matrices of the input embedding and of the output head: one and the same in a tied model. */
  readonly embeddings: { readonly input: EmbeddingModule; readonly output: EmbeddingModule };
  readonly #weights: Map<string, Tensor>;
  readonly #quantized: ReadonlyMap<string, Nf4Weight>;
  readonly #buckets: readonly ParameterBucket[];
  readonly #rotary: RotaryTables;
  /** A copy of the matrix that looks tokens up, once it was asked for: that is on the device only while it is among the weights. */
  #hostTable: HostTable | undefined;

  /** Takes over the weights: those of linear layers are either among `weights` or, in four bits, among `quantized`. */
  constructor(
    architecture: DecoderArchitecture,
    config: Config,
    weights: ReadonlyMap<string, Tensor>,
    { device, dtype, quantized = new Map(), configJson = architecture.writeConfig(config), buckets = [], rotary }: DecoderParts,
  ) {
    this.architecture = architecture;
    this.config = config;
    this.configJson = configJson;
    this.device = device;
    this.dtype = dtype;
    this.#weights = new Map(weights);
    this.embeddings = { input: this.#embeddingModule(architecture.embedding), output: this.#embeddingModule(architecture.outputEmbedding) };
    this.#quantized = quantized;
    this.#buckets = buckets;
    this.#rotary = rotary ?? new RotaryTables(device, config);
    const linearLayers = new Map<string, LinearModule>();
    this.layers = Array.from({ length: config.numHiddenLayers }, (_, index) => this.#layer(index, linearLayers));
    this.linearLayers = linearLayers;
  }

  get modelType(): Config["modelType"] {
    return this.config.modelType;
  }

  get outputEmbedding(): string {
    return this.architecture.outputEmbedding;
  }

  /** Last names of the projections that peft adapts where a config names none. */
  get defaultTargetModules(): string[] {
    return defaultTargetModules(this.architecture);
  }

  /** Weights by the name they have on disk, but those in four bits, all of them on the device. */
  get weights(): ReadonlyMap<string, Tensor> {
    this.#weight(this.architecture.embedding);
    return this.#weights;
  }

  /** Weights of linear layers in four bits, by the name they have on disk. */
  get quantizedWeights(): ReadonlyMap<string, Nf4Weight> {
    return this.#quantized;
  }

  /** All weights, where the model was loaded or made with `trainable`, and none was put in the place of another since. */
  get trainable(): TrainableWeights | undefined {
    const buckets = this.#buckets;
    const inBuckets = weightsIn(buckets);
    if (inBuckets.size === 0 || inBuckets.size !== this.#weights.size) return undefined;
    if ([...this.#weights].some(([name, weight]) => inBuckets.get(name) !== weight)) return undefined;
    const { architecture, config, configJson, device, dtype } = this;
    return {
      buckets,
      withWeights: (others) =>
        new DecoderForCausalLM(architecture, config, weightsIn(others), { device, dtype, configJson, rotary: this.#rotary }),
      save: (store) => this.savePretrained(store, { dtype: "f32" }),
    };
  }

  /** Bytes of all weights on the device. */
  get weightBytes(): number {
    return [...this.#weights.values(), ...this.#quantized.values()].reduce((total, { byteLength }) => total + byteLength, 0);
  }

  get vocabSize(): number {
    return this.config.vocabSize;
  }

  get numHiddenLayers(): number {
    return this.layers.length;
  }

  get attentionHeads(): AttentionHeads {
    const { numAttentionHeads: numHeads, numKeyValueHeads, headDim } = this.config;
    return { numHeads, numKeyValueHeads, headDim };
  }

  /** Tokens that a row may have at most: those of the config, and its sliding window's where a layer has one. */
  get maxPositionEmbeddings(): number {
    return Math.min(this.config.maxPositionEmbeddings, this.config.slidingWindow ?? Infinity);
  }

  /** Number of parameters, a tied head counted once. */
  get numParameters(): number {
    const onHost = this.#isOffloaded ? sizeOf(this.#hostTable!.shape) : 0;
    const plain = [...this.#weights.values()].reduce((total, { size }) => total + size, onHost);
    return [...this.#quantized.values()].reduce((total, { numElements }) => total + numElements, plain);
  }

  /** The same without the input embedding: what transformers counts for `total_flos`. */
  get numNonEmbeddingParameters(): number {
    return this.numParameters - this.config.vocabSize * this.config.hiddenSize;
  }

  /** Sums of all weights as they are on the device, and all else that decides what is computed with them. */
  async fingerprint(): Promise<Uint8Array> {
    const wasOffloaded = this.#isOffloaded;
    const fingerprint = await fingerprintOf(this);
    if (wasOffloaded) await this.offloadEmbedding();
    return fingerprint;
  }

  /** What the head was called while it was a tensor that callers multiplied with: always throws TypeError, with the names of today. */
  get lmHead(): never {
    throw new TypeError(
      "model.lmHead: the head is no tensor of the model's surface any more; expected model.logProbs(hidden, labels) or model.logits(hidden); call these with rows of what hiddenStates gave",
    );
  }

  /** True while head and embedding are one matrix: an adapter may bring other ones, and merging it may part them. */
  get isTied(): boolean {
    if (this.#isOffloaded && !this.embeddings.input.replacement?.weight) return false;
    return this.embeddings.input.weight === this.embeddings.output.weight;
  }

  /** Every module with its dotted path, as transformers names them and in its order: the linear layers, which can carry an adapter, and all else. */
  *namedModules(): Generator<readonly [path: string, module: unknown], void, undefined> {
    yield* decoderModules(this.architecture, this.config, { linear: (path) => this.linearLayers.get(path), ...this.embeddings });
  }

  /** Names the rotary frequencies of a pass whose longest row has so many tokens: only those of `dynamic` and `longrope` depend on it. */
  frequenciesName(rowLength: number): number {
    return frequenciesName(this.config, rowLength);
  }

  /** Makes the rotary tables for rows up to this many tokens ahead of time. Throws ShapeError for more than the model's positions, see `hiddenStates`. */
  prepare(maxRowLength: number): void {
    this.#rotary.prepare(maxRowLength);
  }

  /** Makes what `decode` needs of rows up to this many tokens ahead of time. */
  prepareDecode(maxLength: number): void {
    this.#rotary.byPosition(maxLength);
    void this.embeddings.input.weight; // on the device, where ids come from
  }

  /** See `CausalLM`. */
  async offloadEmbedding(): Promise<void> {
    const name = `${this.architecture.embedding}.weight`;
    if (this.#isOffloaded) return;
    expectOffloadable({ isTrainable: this.#buckets.length > 0, isHead: !this.#weights.has(`${this.architecture.outputEmbedding}.weight`) });
    const weight = this.#weight(this.architecture.embedding);
    const table = (this.#hostTable ??= await HostTable.of(weight));
    if (this.#weights.get(name) !== weight || this.#hostTable !== table) return this.offloadEmbedding(); // another took its place meanwhile
    this.#weights.delete(name);
    weight.dispose();
    await this.device.memory.trim(); // nothing else is as large
  }

  /** Concatenates rows of token ids into one batch without padding. Errors as the function of this name. */
  packRows(rows: readonly ArrayLike<number>[], options?: PackRowsOptions): TokenBatch {
    return packRows(this.device, rows, this.config.vocabSize, options);
  }

  /**
   * The decoder's output after the final norm.
   *
   * @returns [numTokens, hiddenSize] in the model's dtype, ready for the output head; it takes gradients in the rows of `batch.inputIds` that do. Throws ShapeError for a row past the model's positions:
   *   `max_position_embeddings`, or what its RoPE scaling stretches them to, and its sliding window where a layer has one
   */
  hiddenStates(batch: TokenBatch, { gradientCheckpointing = false, attend, attendProjected, onHiddenState }: ForwardOptions = {}): Tensor {
    const { config, dtype, architecture } = this;
    const { positions, longestRow } = batch;
    using tables = this.#rotary.for(longestRow);
    using ofGradients = gradientPlaces(batch);
    const keep = [...Object.values(ofGradients).filter((tensor) => tensor !== undefined), tables.cos, tables.sin];
    let x = this.#embedded(batch); // [numTokens, hiddenSize] f32
    onHiddenState?.(0, x);
    const checkpointed = gradientCheckpointing === true ? this.layers.length : Number(gradientCheckpointing);
    for (const layer of this.layers) {
      const trained = (input: Tensor, places: TokenPlaces, isRead = true): Tensor =>
        decoderLayer(input, layer, {
          config,
          positions: places.positions,
          tables,
          dtype,
          attend: attend ?? this.#attendWithin(places),
          isRead,
        });
      const run = (input: Tensor): Tensor =>
        attendProjected
          ? decodeLayer({ x: input }, layer, {
              config,
              tables,
              dtype,
              projected: dtype,
              attend: projectedAt(attendProjected, tables, positions),
            }).x
          : trained(input, batch);
      const previous = x;
      x =
        layer.index < checkpointed
          ? checkpoint(run, x, { keep, again: (input) => trained(input, ofGradients, false) })
          : this.device.scope(`layer ${layer.index}`, () => run(previous));
      if (onHiddenState) onHiddenState(layer.index + 1, x);
      else previous.dispose(); // what the tape needs of it is held there
    }
    const hidden = rmsNorm(x, this.#weight(architecture.norm), { eps: config.rmsNormEps, dtype }); // [numTokens, hiddenSize]
    if (!onHiddenState) x.dispose();
    return hidden;
  }

  /**
   * log softmax(logits)[label] of each token, without building the logits.
   *
   * @param hidden  [numTokens, hiddenSize], rows of what `hiddenStates` gave
   * @param labels  [numTokens] u32, each below vocabSize
   * @returns       see `linearLogProbs`
   */
  logProbs(hidden: Tensor, labels: Tensor, options: LogProbsMetrics = {}): LinearLogProbs {
    return linearLogProbs(hidden, this.embeddings.output.weight, labels, options);
  }

  /** All logits, for small inputs and sampling: [numTokens, vocabSize] f32. Training never builds them. */
  logits(hidden: Tensor): Tensor {
    return linear(cast(hidden, this.dtype), this.embeddings.output.weight, undefined, { dtype: "f32" });
  }

  /** The logits of the newest token of each row: [numRows, vocabSize] f32. Each row is rotated as it would be alone. */
  decode({ inputIds, maxLength, attend }: DecodeStep): Tensor {
    const { config, dtype, architecture } = this;
    const tables = this.#rotary.byPosition(maxLength);
    let stream: Stream = { x: embedding(inputIds, this.embeddings.input.weight) }; // [numRows, hiddenSize] f32
    for (const layer of this.layers) {
      const previous = stream;
      const next = this.layers[layer.index + 1];
      stream = this.device.scope(`layer ${layer.index}`, () =>
        decodeLayer(previous, layer, { config, tables, dtype, projected: "f32", attend, next }),
      );
      previous.x.dispose();
      previous.ahead?.parts?.dispose();
    }
    const { x } = stream;
    const norm = { weight: this.#weight(architecture.norm), eps: config.rmsNormEps };
    const logits = decodeHead(x, norm, this.embeddings.output.weight, dtype);
    x.dispose();
    return logits;
  }

  /** Writes the model in Hugging Face layout; see the function of this name. */
  savePretrained(store: Store, options?: SavePretrainedOptions): Promise<void> {
    return savePretrained(this, store, options);
  }

  dispose(): void {
    for (const part of [...this.#weights.values(), ...this.#quantized.values(), ...this.#buckets]) part.dispose();
    this.#rotary.dispose();
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  #embeddingModule(path: string): EmbeddingModule {
    const { embedding: input } = this.architecture;
    return new EmbeddingModule(
      () => this.#weights.get(`${path}.weight`) ?? this.#weight(input), // a tied head has no entry
      (taken) => this.#takeEmbedding(path, taken),
    );
  }

  /** Makes a matrix the model's own; a head that was tied stays what it was when the embedding alone changes. */
  #takeEmbedding(path: string, taken: Tensor): void {
    const { embedding: input, outputEmbedding: output } = this.architecture;
    const before = [this.embeddings.input.own, this.embeddings.output.own] as const;
    this.#hostTable = undefined;
    const after = [path === input ? taken : before[0], path === output ? taken : before[1]] as const;
    this.#weights.set(`${input}.weight`, after[0]);
    if (after[0] === after[1]) this.#weights.delete(`${output}.weight`);
    else this.#weights.set(`${output}.weight`, after[1]);
    for (const weight of new Set(before)) if (!after.includes(weight)) weight.dispose();
  }

  /** Causal attention within the rows of a batch. */
  #attendWithin({ starts, ends, spans }: TokenPlaces): Attend {
    return (_layer, q, k, v) => causalAttention(q, k, v, { ...this.attentionHeads, starts, ends, spans, dtype: this.dtype });
  }

  get #isOffloaded(): boolean {
    return this.#hostTable !== undefined && !this.#weights.has(`${this.architecture.embedding}.weight`);
  }

  /** The rows of a batch's tokens, from where the matrix is: [numTokens, hiddenSize] f32. */
  #embedded({ inputIds, ids }: TokenBatch): Tensor {
    const { input } = this.embeddings;
    return ids && this.#isOffloaded && !input.replacement?.weight
      ? this.#hostTable!.lookUp({ inputIds, ids })
      : embedding(inputIds, input.weight);
  }

  /** The weight of a module, brought back to the device if it is on the host: for good, but in a rehearsal, where it goes with its scope. */
  #weight(path: string): Tensor {
    const name = `${path}.weight`;
    const { device } = this;
    if (path !== this.architecture.embedding || !this.#isOffloaded) return this.#weights.get(name)!;
    if (device.recorder.isRehearsing) return this.#hostTable!.toDevice();
    const weight = device.unscoped(() => this.#hostTable!.toDevice());
    this.#weights.set(name, weight);
    return weight;
  }

  #layer(index: number, linearLayers: Map<string, LinearModule>): DecoderLayer {
    const { layer, layers } = this.architecture;
    const parts = Object.entries<NormPart | Projection>({ ...layer }).map(([name, part]) => {
      const path = `${layers}.${index}.${part.path}`;
      if (!isProjection(part)) return [name, this.#weight(path)];
      const module = this.#linear(path);
      linearLayers.set(path, module);
      return [name, module];
    });
    return { index, ...Object.fromEntries(parts) } as DecoderLayer;
  }

  #linear(path: string): LinearModule {
    const bias = this.#weights.get(`${path}.bias`);
    const quantized = this.#quantized.get(`${path}.weight`);
    return quantized ? new Linear4bit(quantized, bias) : new Linear(this.#weight(path), bias);
  }
}
