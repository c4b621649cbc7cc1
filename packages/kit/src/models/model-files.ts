import type { ByteDirectory } from "@kto/core";
import type { LoraConfig } from "@kto/lora";
import type { DecoderConfig } from "@kto/qwen2";
import type { Tokenizer } from "@kto/tokenizer";

/** A model's files, looked at before anything is put on a device: config and weights' headers are well-formed. */
export interface ModelFiles {
  /** Where peft finds it: a path, an address, a name on the hub without its revision. */
  readonly name: string;
  /** Branch, tag or commit that was asked for of a repository of the hub; undefined for its main one, and for what is not there. */
  readonly revision: string | undefined;
  readonly directory: ByteDirectory;
  readonly config: DecoderConfig;
  /** The model's tokenizer; undefined when it has none. */
  readonly tokenizer: Tokenizer | undefined;
  /** What `generation_config.json` says; undefined when it has none. */
  readonly generationConfig: Readonly<Record<string, unknown>> | undefined;
  /** The repository that was read and its commit; undefined for what is not on the hub. */
  readonly hub: { id: string; commit: string } | undefined;
}

/** An adapter's files, looked at before anything is put on a device. */
export interface AdapterFiles {
  readonly name: string;
  readonly directory: ByteDirectory;
  readonly config: LoraConfig;
  readonly hub: { id: string; commit: string } | undefined;
}
