import type { ByteDirectory } from "@kto/core";
import { type ChatMessage, DEFAULT_CHAT_TEMPLATE, renderChat, type RenderOptions } from "@kto/chat-templates";
import { Tokenizer as Encoder } from "@huggingface/tokenizers";
import { assistantMask } from "./assistant-mask.js";
import { decodeByteLevel } from "./byte-level.js";
import { readChatTemplates, selectChatTemplate } from "./chat-template-files.js";
import { readTokenizerFiles } from "./directory.js";
import { TokenizerError } from "./errors.js";
import { checkTokenizerJson, FILE_NAMES, type FileContent, type JsonObject, parseJson, type TokenizerFiles } from "./files.js";
import { withUnicodeCaseFolding } from "./patterns.js";
import { allAddedTokens, readSpecialTokens, type SpecialTokens, vocabularySize } from "./special-tokens.js";

/** How a conversation is rendered and tokenised; see `RenderOptions` of `@kto/chat-templates` for the rest. */
export interface ApplyChatTemplateOptions extends Omit<RenderOptions, "specialTokens"> {
  /** Ids (default, as in transformers) or text. */
  tokenize?: boolean;
  /** Another template than the model's: its text, or the name of one of several that the model has. */
  chatTemplate?: string;
}

/**
 * Text to token ids and back, with the model's chat template: what `AutoTokenizer.from_pretrained` gives in Python.
 * Ids are those of the Rust library; a tokenizer holds no resource and needs no disposal.
 */
export class Tokenizer {
  /** The model's chat template, or null; may be set. Where it is null, `applyChatTemplate` uses `DEFAULT_CHAT_TEMPLATE`. */
  chatTemplate: string | null;
  /** Every chat template the model has, by name; most have one, `default`. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Longest input the model was made for, in tokens, if its files say. */
  readonly modelMaxLength: number | undefined;
  /** One more than the largest id that has a token. */
  readonly vocabSize: number;
  /** Ids that end a generation: `eos_token_id` of `generation_config.json` (one or several) and the tokenizer's own. */
  readonly eosTokenIds: readonly number[];

  private readonly encoder: Encoder;
  private readonly specialTokens: SpecialTokens;
  private readonly specialIds: ReadonlySet<number>;
  private readonly isByteLevel: boolean;
  private readonly cleanUpSpaces: boolean;
  private readonly addBos: boolean | undefined;
  private readonly addEos: boolean | undefined;
  private readonly sources: TokenizerFiles;

  private constructor(sources: TokenizerFiles) {
    const optional = (name: "tokenizerConfig" | "specialTokensMap" | "generationConfig"): JsonObject =>
      sources[name] === undefined ? {} : parseJson(FILE_NAMES[name], sources[name]);
    const json = checkTokenizerJson(parseJson(FILE_NAMES.tokenizerJson, sources.tokenizerJson));
    const config = optional("tokenizerConfig");
    const map = optional("specialTokensMap");
    const generation = optional("generationConfig");
    this.sources = sources;
    this.specialTokens = readSpecialTokens(config, map);
    const added = allAddedTokens(json, config, map, this.specialTokens);
    this.encoder = makeEncoder(
      { ...json, added_tokens: added, pre_tokenizer: withUnicodeCaseFolding(json["pre_tokenizer"]) },
      this.specialTokens,
    );
    this.specialIds = new Set(added.filter(({ special }) => special).map(({ id }) => id));
    this.vocabSize = vocabularySize(json, added);
    const { decoder } = json;
    this.isByteLevel =
      decoder?.type === "ByteLevel" ||
      (decoder?.type === "Sequence" && decoder.decoders?.length === 1 && decoder.decoders[0]?.type === "ByteLevel");
    this.cleanUpSpaces = config["clean_up_tokenization_spaces"] === true;
    this.addBos = optionalBoolean(config["add_bos_token"]);
    this.addEos = optionalBoolean(config["add_eos_token"]);
    const maxLength = config["model_max_length"];
    this.modelMaxLength = typeof maxLength === "number" && maxLength < Number.MAX_SAFE_INTEGER ? maxLength : undefined;
    this.chatTemplates = readChatTemplates(config, sources.chatTemplate);
    this.chatTemplate = this.chatTemplates.get("default") ?? null;
    this.fillFromGenerationConfig(generation);
    const eos = [generation["eos_token_id"]].flat().filter((id): id is number => typeof id === "number");
    this.eosTokenIds = [...new Set(this.eosTokenId === null ? eos : [...eos, this.eosTokenId])];
  }

  /** A tokenizer from the contents of a model's files. Throws `TokenizerError` naming the file at fault. */
  static fromFiles(files: TokenizerFiles): Tokenizer {
    return new Tokenizer(files);
  }

  /**
   * The tokenizer of a model directory: anything that opens files by name, such as `hub("owner/name")` of `@kto/hub`.
   * Throws `TokenizerError` naming the file that is missing or at fault.
   */
  static async fromPretrained(directory: ByteDirectory): Promise<Tokenizer> {
    return new Tokenizer(await readTokenizerFiles("Tokenizer.fromPretrained", directory));
  }

  /**
   * The ids of a text. Added tokens written in it (`<｜User｜>`, …) become their ids.
   * @param options.addSpecialTokens  add what the model adds around a text, usually BOS; default true
   */
  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    const byConfig = this.addBos !== undefined || this.addEos !== undefined;
    const { ids } = this.encoder.encode(text, { add_special_tokens: addSpecialTokens && !byConfig });
    if (!addSpecialTokens || !byConfig) return ids;
    const before = this.addBos && this.bosTokenId !== null ? [this.bosTokenId] : [];
    const after = this.addEos && this.eosTokenId !== null ? [this.eosTokenId] : [];
    return [...before, ...ids, ...after];
  }

  /** The text of ids; those without a token are left out, and with `skipSpecialTokens` the special ones too. Broken UTF-8 shows as U+FFFD. */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const kept = Array.from(ids).filter(
      (id) => this.encoder.id_to_token(id) !== undefined && !(skipSpecialTokens && this.specialIds.has(id)),
    );
    if (kept.length === 0) return "";
    const text = this.isByteLevel
      ? decodeByteLevel(kept.map((id) => this.encoder.id_to_token(id)!))
      : this.encoder.decode(kept, { clean_up_tokenization_spaces: false });
    return this.cleanUpSpaces ? cleanUp(text) : text;
  }

  /** The id of a token, or null; the token as the vocabulary writes it. */
  tokenToId(token: string): number | null {
    return this.encoder.token_to_id(token) ?? null;
  }

  /** The token of an id as the vocabulary writes it, or null. */
  idToToken(id: number): string | null {
    return this.encoder.id_to_token(id) ?? null;
  }

  /** True for ids that `skipSpecialTokens` leaves out. */
  isSpecial(id: number): boolean {
    return this.specialIds.has(id);
  }

  /**
   * A conversation as ids (or, with `tokenize: false`, as text) under the model's chat template. Nothing is added around it: a
   * template writes its own BOS. Throws `TemplateError` (see `renderChatTemplate`).
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ApplyChatTemplateOptions & { tokenize: false }): string;
  applyChatTemplate(messages: readonly ChatMessage[], options?: ApplyChatTemplateOptions & { tokenize?: true }): number[];
  applyChatTemplate(messages: readonly ChatMessage[], options?: ApplyChatTemplateOptions): string | number[];
  applyChatTemplate(messages: readonly ChatMessage[], options: ApplyChatTemplateOptions = {}): string | number[] {
    const { text } = this.render(messages, options);
    return options.tokenize === false ? text : this.encode(text, { addSpecialTokens: false });
  }

  /**
   * A conversation as ids, with 1 in `assistantMask` for each token inside the template's `{% generation %}` blocks.
   * Without such blocks the mask is all 0 (`hasGenerationBlocks` of `@kto/chat-templates` tells).
   */
  applyChatTemplateWithMask(
    messages: readonly ChatMessage[],
    options: Omit<ApplyChatTemplateOptions, "tokenize"> = {},
  ): { ids: number[]; assistantMask: number[] } {
    if (!this.isByteLevel) {
      throw new TokenizerError(
        "applyChatTemplateWithMask: this tokenizer is not byte-level, so its tokens cannot be placed in the text; use splitPromptCompletion instead",
      );
    }
    const { text, generations } = this.render(messages, options);
    const { ids, tokens } = this.encoder.encode(text, { add_special_tokens: false });
    const normalize = (part: string): string => this.encoder.normalizer?.normalize(part) ?? part;
    return { ids, assistantMask: assistantMask(text, tokens, generations, normalize) };
  }

  private render(
    messages: readonly ChatMessage[],
    options: ApplyChatTemplateOptions,
  ): { text: string; generations: { start: number; end: number }[] } {
    const { chatTemplate, tokenize: _, ...rest } = options;
    const template =
      selectChatTemplate(this.chatTemplates, chatTemplate, this.chatTemplate, Boolean(options.tools)) ?? DEFAULT_CHAT_TEMPLATE;
    return renderChat(template, messages, { ...rest, specialTokens: this.specialTokens });
  }

  get bosToken(): string | null {
    return this.specialTokens.bos_token ?? null;
  }

  get eosToken(): string | null {
    return this.specialTokens.eos_token ?? null;
  }

  get unkToken(): string | null {
    return this.specialTokens.unk_token ?? null;
  }

  /** The padding token; where the model names none, its EOS, as trl does. Padding is told by a mask, never by this id. */
  get padToken(): string | null {
    return this.specialTokens.pad_token ?? this.eosToken;
  }

  get bosTokenId(): number | null {
    return this.idOf(this.bosToken);
  }

  get eosTokenId(): number | null {
    return this.idOf(this.eosToken);
  }

  get unkTokenId(): number | null {
    return this.idOf(this.unkToken);
  }

  get padTokenId(): number | null {
    return this.idOf(this.padToken);
  }

  private idOf(token: string | null): number | null {
    return token === null ? null : this.tokenToId(token);
  }

  /**
   * The model's tokenizer files by name, as they were given: `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json`
   * and `chat_template.jinja`, those that it has; for writing beside a trained adapter.
   */
  files(): Map<string, string | Uint8Array> {
    const names = ["tokenizerJson", "tokenizerConfig", "specialTokensMap", "chatTemplate"] as const;
    const present = names.filter((name) => this.sources[name] !== undefined);
    return new Map(present.map((name) => [FILE_NAMES[name], written(this.sources[name]!)]));
  }

  /** EOS and padding that the tokenizer's own files leave out, by the ids of `generation_config.json`; padding only where there is no EOS either. */
  private fillFromGenerationConfig(generation: JsonObject): void {
    const tokenOf = (key: string): string | undefined => {
      const id = [generation[key]].flat()[0];
      return typeof id === "number" ? this.encoder.id_to_token(id) : undefined;
    };
    this.specialTokens.eos_token ??= tokenOf("eos_token_id");
    if (this.padToken === null) this.specialTokens.pad_token = tokenOf("pad_token_id");
  }
}

function makeEncoder(json: object, { eos_token }: SpecialTokens): Encoder {
  try {
    return new Encoder(json, { eos_token, clean_up_tokenization_spaces: false });
  } catch (cause) {
    const file = FILE_NAMES.tokenizerJson;
    throw new TokenizerError(
      `Tokenizer.fromFiles: ${file} cannot be used (${(cause as Error).message}); expected what the tokenizers library writes`,
      { file, cause },
    );
  }
}

function optionalBoolean(value: unknown): boolean | undefined {
  return typeof value === "boolean" ? value : undefined;
}

function written(content: FileContent): string | Uint8Array {
  return typeof content === "string" || content instanceof Uint8Array ? content : `${JSON.stringify(content, null, 2)}\n`;
}

/** English spacing before punctuation and contractions taken back, for the few models whose config asks for it. */
function cleanUp(text: string): string {
  return text
    .replace(/ ([.?!,])/g, "$1")
    .replaceAll(" ' ", "'")
    .replace(/ (n't|'m|'s|'ve|'re)/g, "$1");
}
