import { excerpt } from "@kto/core";
import { ParameterBucket, type Device, type EmbeddingModule, type LinearModule, type ModuleTree, type Tensor } from "@kto/tensor";
import { DEFAULT_ADAPTER } from "./adapter-names.js";
import { loraConfig, type LoraConfig } from "./config.js";
import { LoraConfigError } from "./errors.js";
import { EmbeddingSlot } from "./embedding-slot.js";
import { initialLoraWeights, type LoraWeights } from "./init.js";
import { LoraSlot, type ActiveAdapters } from "./lora-layer.js";
import { embeddingModules, embeddingOnDevice, modulesInFull, noEmbeddings, type SavedEmbeddings } from "./saved-embeddings.js";
import { resolveTargets, type LoraTarget } from "./target-modules.js";

/** What a base model must offer: a device, and a tree with linear layers in it. */
export interface AdaptableModel extends ModuleTree {
  readonly device: Device;
  /** What a fresh adapter's config names as its base: a path, or a name on the hub. */
  readonly name?: string | undefined;
  /** Branch, tag or commit of a model of the hub. */
  readonly revision?: string | undefined;
}

/** One named adapter: its config, the layers it acts on, and its weights in one bucket. */
export interface LoraAdapter {
  readonly name: string;
  readonly config: LoraConfig;
  readonly targets: readonly LoraTarget[];
  /** Parameters `<path>.lora_A` [r, in] and `<path>.lora_B` [out, r], f32. */
  readonly bucket: ParameterBucket;
  /** Embedding and head that it brought, by module path, as they were saved; frozen. */
  readonly embeddings: SavedEmbeddings;
}

/** Options of `getPeftModel` and `addAdapter`. */
export interface AddAdapterOptions {
  /** Default "default". */
  adapterName?: string;
  /** Seed of A's initial values; default 0. */
  seed?: number;
  /** Weights by module path instead of fresh ones. */
  weights?: ReadonlyMap<string, LoraWeights>;
  /**
   * Embedding and head that come with the weights. Those that `modulesToSave` names stand in for the model's while the adapter acts; others, as peft loads
   * them, whether it acts or not, as long as it is there.
   */
  embeddings?: SavedEmbeddings;
  /** Whether gradients flow to it; default true. */
  isTrainable?: boolean;
}

/** Puts a fresh LoRA adapter on a base model, as peft's function of that name. Its config names the base where the model carries its name. */
export function getPeftModel<M extends AdaptableModel>(
  base: M,
  config: Partial<LoraConfig>,
  options: AddAdapterOptions = {},
): PeftModel<M> {
  const model = new PeftModel(base);
  try {
    model.addAdapter({ baseModelNameOrPath: base.name ?? null, revision: base.revision ?? null, ...config }, options);
    return model;
  } catch (error) {
    model.dispose();
    throw error;
  }
}

/** A base model with named adapters. Owns the adapters, not the base; dispose it to leave the base as it was. */
export class PeftModel<M extends AdaptableModel = AdaptableModel> implements Disposable {
  readonly base: M;
  readonly adapters: Map<string, LoraAdapter> = new Map();
  readonly #active: ActiveAdapters = { names: [], dropoutSeed: undefined, dropoutRow: 0 };
  readonly #slots = new Map<string, { module: LinearModule; slot: LoraSlot }>();
  readonly #embeddingSlots = new Map<string, EmbeddingSlot>();

  constructor(base: M) {
    this.base = base;
  }

  get device(): Device {
    return this.base.device;
  }

  /** Names of the adapters that act, in order. */
  get activeAdapters(): readonly string[] {
    return this.#active.names;
  }

  /** The first active adapter; throws LoraConfigError if none acts. */
  get activeAdapter(): LoraAdapter {
    const adapter = this.adapters.get(this.#active.names[0] ?? "");
    if (!adapter) throw new LoraConfigError("activeAdapter: no adapter is active; set one with setAdapter", { field: "adapterName" });
    return adapter;
  }

  /** Makes adapters act, and only them trainable, in this order. */
  setAdapter(names: string | readonly string[]): void {
    const list = typeof names === "string" ? [names] : [...names];
    for (const name of list) this.#find(name);
    this.#active.names = list;
    for (const adapter of this.adapters.values()) adapter.bucket.requiresGrad = list.includes(adapter.name);
  }

  /** What adapters put in the place of embedding and head, by module path. */
  get embeddingSlots(): ReadonlyMap<string, EmbeddingSlot> {
    return this.#embeddingSlots;
  }

  /** Adds an adapter; the first one is activated. Throws LoraConfigError for a name in use or a new adapter that would train modules in full, and as `resolveTargets`. */
  addAdapter(config: Partial<LoraConfig>, options: AddAdapterOptions = {}): LoraAdapter {
    const { seed = 0, weights } = options;
    if (!weights && (config.modulesToSave ?? null) !== null)
      throw new LoraConfigError(
        `addAdapter: modulesToSave trains modules in full, which is not done here; expected it unset, got ${excerpt(config.modulesToSave)}; leave it out, or use peft for such an adapter`,
        { field: "modulesToSave" },
      );
    const adapter = this.#add(config, { ...options, isSaved: weights !== undefined });
    const { initLoraWeights } = adapter.config;
    if (this.device.recorder.isRehearsing) return adapter; // values would go nowhere
    for (const target of adapter.targets)
      writeLayer(adapter, target.path, weights?.get(target.path) ?? initialLoraWeights(target, { seed, initLoraWeights }));
    return adapter;
  }

  /** A frozen copy of an adapter under a new name: the reference of a continued run. */
  copyAdapter(from: string, to: string): LoraAdapter {
    const source = this.#find(from);
    const copy = this.#add(source.config, { adapterName: to, isTrainable: false, isSaved: true, embeddings: source.embeddings });
    this.device.copyInto(copy.bucket.flat, source.bucket.flat);
    return copy;
  }

  /** Removes an adapter and frees its weights. */
  deleteAdapter(name: string): void {
    const adapter = this.#find(name);
    this.adapters.delete(name);
    this.#active.names = this.#active.names.filter((active) => active !== name);
    for (const [path, { module, slot }] of this.#slots) {
      slot.layers.delete(name);
      if (slot.layers.size > 0) continue;
      module.adapter = undefined;
      this.#slots.delete(path);
    }
    const brought = new Set<Tensor>();
    for (const [path, slot] of this.#embeddingSlots) {
      const weight = slot.brought.get(name)?.weight;
      if (weight) brought.add(weight);
      slot.brought.delete(name);
      if (slot.brought.size > 0) continue;
      slot.module.replacement = undefined;
      this.#embeddingSlots.delete(path);
    }
    for (const weight of brought) weight.dispose();
    adapter.bucket.dispose();
  }

  /** Runs `body` with exactly these adapters acting. */
  withAdapters<T>(names: readonly string[], body: () => T): T {
    for (const name of names) this.#find(name);
    const before = this.#active.names;
    this.#active.names = names;
    try {
      return body();
    } finally {
      this.#active.names = before;
    }
  }

  /** Runs `body` with dropout on the LoRA branches; the same seed gives the same masks. */
  withDropout<T>(seed: number, body: () => T): T {
    const before = this.#active.dropoutSeed;
    this.#active.dropoutSeed = seed;
    try {
      return body();
    } finally {
      this.#active.dropoutSeed = before;
    }
  }

  /** Runs `body` with the masks that its tokens would have after `row` others in one forward pass: for a batch in several passes. */
  withDropoutFrom<T>(row: number, body: () => T): T {
    const before = this.#active.dropoutRow;
    this.#active.dropoutRow = row;
    try {
      return body();
    } finally {
      this.#active.dropoutRow = before;
    }
  }

  /** The weights of an adapter on the host, by module path. */
  async readAdapter(name: string = this.activeAdapter.name): Promise<Map<string, LoraWeights>> {
    const { bucket, targets } = this.#find(name);
    const flat = (await bucket.flat.read()) as Float32Array;
    const slice = (parameter: Tensor): Float32Array => flat.slice(parameter.byteOffset / 4, parameter.byteOffset / 4 + parameter.size);
    return new Map(targets.map(({ path }) => [path, { a: slice(bucket.get(`${path}.lora_A`)), b: slice(bucket.get(`${path}.lora_B`)) }]));
  }

  /** Overwrites the weights of an adapter with what `readAdapter` gave; throws LoraConfigError if a layer is missing. */
  writeAdapter(weights: ReadonlyMap<string, LoraWeights>, name: string = this.activeAdapter.name): void {
    const adapter = this.#find(name);
    for (const { path } of adapter.targets) {
      const layer = weights.get(path);
      if (!layer)
        throw new LoraConfigError(
          `writeAdapter: a layer has no weights; expected those of ${adapter.targets.length} layers, got none for ${path}`,
          {
            field: "targetModules",
          },
        );
      writeLayer(adapter, path, layer);
    }
  }

  /** True if an adapter changes nothing, since it brings nothing that acts with it alone, and its every B is 0 as in a fresh one: read from the device, so that it is a fact however the adapter came about. */
  async startsAtBase(name: string = this.activeAdapter.name): Promise<boolean> {
    const { modulesToSave, initLoraWeights } = this.#find(name).config;
    if (modulesToSave !== null) return false;
    if (this.device.recorder.isRehearsing) return initLoraWeights !== false; // it holds no values, and would begin with these
    for (const { b } of (await this.readAdapter(name)).values())
      for (let index = 0; index < b.length; index++) if (b[index] !== 0) return false; // `some` takes seven times as long for millions
    return true;
  }

  dispose(): void {
    for (const name of this.adapters.keys()) this.deleteAdapter(name);
  }

  [Symbol.dispose](): void {
    this.dispose();
  }

  /** An adapter whose weights are all 0 yet. */
  #add(
    config: Partial<LoraConfig>,
    { adapterName = DEFAULT_ADAPTER, isTrainable = true, isSaved, embeddings = noEmbeddings }: AddAdapterOptions & { isSaved: boolean },
  ): LoraAdapter {
    if (this.adapters.has(adapterName))
      throw new LoraConfigError(`addAdapter: there is an adapter "${adapterName}" already; expected a new name, or deleteAdapter first`, {
        field: "adapterName",
      });
    const resolved = resolveTargets(this.base, loraConfig(config), { isSaved });
    const bucket = new ParameterBucket(
      this.device,
      resolved.targets.flatMap(({ path, r, inFeatures, outFeatures }) => [
        { name: `${path}.lora_A`, shape: [r, inFeatures] },
        { name: `${path}.lora_B`, shape: [outFeatures, r] },
      ]),
      `adapter ${adapterName}`,
    );
    const modules = new Map(this.base.namedModules());
    resolved.targets.forEach((target, index) => {
      const layer = {
        a: bucket.get(`${target.path}.lora_A`),
        b: bucket.get(`${target.path}.lora_B`),
        scale: target.scale,
        dropout: resolved.config.loraDropout,
        index,
      };
      this.#slotFor(target.path, modules.get(target.path) as LinearModule).layers.set(adapterName, layer);
    });
    const adapter = { name: adapterName, config: resolved.config, targets: resolved.targets, bucket, embeddings };
    this.adapters.set(adapterName, adapter);
    try {
      this.#bringEmbeddings(adapter);
    } catch (error) {
      this.deleteAdapter(adapterName);
      throw error;
    }
    if (this.#active.names.length === 0) this.#active.names = [adapterName];
    bucket.requiresGrad = isTrainable && this.#active.names.includes(adapterName);
    return adapter;
  }

  /** Puts the embeddings of an adapter in the place of the model's. In a tied model one that was saved beside an adapter is loaded into both, the head's last. */
  #bringEmbeddings({ name, config, embeddings }: LoraAdapter): void {
    if (embeddings.size === 0) return;
    const modules = embeddingModules(this.base);
    const inFull = new Set(modulesInFull(this.base, config));
    const beside = [...modules].filter(([path]) => embeddings.has(path) && !inFull.has(path));
    const loaded = new Map<Tensor, Tensor>();
    for (const [path, module] of beside) {
      loaded.get(module.own)?.dispose();
      loaded.set(module.own, embeddingOnDevice(this.device, path, embeddings.get(path)!, module.own));
    }
    for (const [path, module] of modules) {
      const weight = inFull.has(path) ? embeddingOnDevice(this.device, path, embeddings.get(path)!, module.own) : loaded.get(module.own);
      if (weight) this.#embeddingSlotFor(path, module).brought.set(name, { weight, isAlways: !inFull.has(path) });
    }
  }

  #embeddingSlotFor(path: string, module: EmbeddingModule): EmbeddingSlot {
    let slot = this.#embeddingSlots.get(path);
    if (!slot) {
      if (module.replacement)
        throw new LoraConfigError(`addAdapter: ${path} is that of an adapter of another model; dispose that one first`, {
          field: "adapterName",
        });
      slot = new EmbeddingSlot(module, this.#active);
      module.replacement = slot;
      this.#embeddingSlots.set(path, slot);
    }
    return slot;
  }

  #slotFor(path: string, module: LinearModule): LoraSlot {
    let entry = this.#slots.get(path);
    if (!entry) {
      if (module.adapter)
        throw new LoraConfigError(`addAdapter: ${path} carries an adapter of another model; dispose that one first`, {
          field: "adapterName",
        });
      const slot = new LoraSlot(this.#active);
      module.adapter = slot;
      this.#slots.set(path, (entry = { module, slot }));
    }
    return entry.slot;
  }

  #find(name: string): LoraAdapter {
    const adapter = this.adapters.get(name);
    if (!adapter)
      throw new LoraConfigError(
        `adapter: there is no adapter "${name}"; expected one of ${[...this.adapters.keys()].join(", ") || "none"}`,
        { field: "adapterName" },
      );
    return adapter;
  }
}

/** Runs `body` as the base model, adapters off: the reference of preference training, without a second copy of the weights. */
export function withoutAdapters<T>(model: PeftModel, body: () => T): T {
  return model.withAdapters([], body);
}

function writeLayer({ bucket }: LoraAdapter, path: string, { a, b }: LoraWeights): void {
  write(bucket.get(`${path}.lora_A`), a);
  write(bucket.get(`${path}.lora_B`), b);
}

function write(target: Tensor, values: Float32Array): void {
  target.device.writeBytes(target, new Uint8Array(values.buffer, values.byteOffset, values.byteLength));
}
