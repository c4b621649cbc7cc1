import type { ByteDirectory } from "@kto/core";
import {
  type ChatMessage,
  checkChatTemplate,
  hasGenerationBlocks,
  type RenderedChat,
  renderChat,
  type RenderOptions,
  STAND_IN_CHAT_TEMPLATE,
} from "@kto/chat-templates";
import { allAddedTokens, vocabularySize } from "./added-tokens.js";
import { assistantMask } from "./assistant-mask.js";
import { decodeByteLevel } from "./byte-level.js";
import { type ChosenTemplate, readChatTemplates, selectChatTemplate } from "./chat-template-files.js";
import { readTokenizerFiles } from "./directory.js";
import { Encoder } from "./encoder.js";
import { malformed, TokenizerError } from "./errors.js";
import { FILE_NAMES, type FileContent, type JsonObject, parseJson, TEMPLATE_FOLDER, type TokenizerFiles } from "./files.js";
import { checkMapping, mapMessages, type MessageMapping, type TemplateMessage } from "./message-mapping.js";
import { asQwen2, isQwen2Tokenizer } from "./qwen2.js";
import { readSpecialTokens, type SpecialTokens } from "./special-tokens.js";
import { checkTokenizerJson, isId } from "./tokenizer-json.js";

/** How a conversation is rendered and tokenised; see `RenderOptions` of `@kto/chat-templates` for the rest. */
export interface ApplyChatTemplateOptions extends Omit<RenderOptions, "specialTokens"> {
  /** Ids (default, as in transformers) or text. */
  tokenize?: boolean;
  /** Another template than the model's: its text, or the name of one of several that the model has. */
  chatTemplate?: string;
}

/** A rendered conversation and the template that it was rendered with. */
export interface RenderedConversation extends RenderedChat {
  template: ChosenTemplate;
}

/** What a tokenizer is made of, as plain data that can be sent to another thread. */
export interface TokenizerParts {
  files: TokenizerFiles;
  /** The template that is used, which may have been set to another than that of the files. */
  chatTemplate: string | null;
  /** The layout of messages, where `withChatTemplate` was given one. */
  mapping: MessageMapping | undefined;
}

/**
 * Text to token ids and back, with the model's chat template: what `AutoTokenizer.from_pretrained` gives in Python.
 * Ids are those of the Rust library; a tokenizer holds no resource and needs no disposal.
 */
export class Tokenizer {
  /** The model's chat template, or null; may be set. Where it is null, `applyChatTemplate` uses `STAND_IN_CHAT_TEMPLATE`. */
  chatTemplate: string | null;
  /** Every chat template the model has, by name; most have one, `default`. */
  readonly chatTemplates: ReadonlyMap<string, string>;
  /** Longest input the model was made for, in tokens, if its files say. */
  readonly modelMaxLength: number | undefined;
  /** One more than the largest id that has a token. */
  readonly vocabSize: number;
  /** Ids that end a generation: `eos_token_id` of `generation_config.json` (one or several), the tokenizer's own, and `stopTokenIds`. */
  readonly eosTokenIds: readonly number[];
  /** Tokens at which an answer ends by the template that `withChatTemplate` was given. */
  readonly stopTokenIds: readonly number[] = [];
  /** Texts at which an answer ends by that template and that are no special token of this vocabulary, so that decoding shows them: for `stop` of a generation. */
  readonly stopStrings: readonly string[] = [];

  private readonly encoder: Encoder;
  private readonly specialTokens: SpecialTokens;
  private readonly specialIds: ReadonlySet<number>;
  private readonly cleanUpSpaces: boolean;
  private readonly sources: TokenizerFiles;
  private readonly ownTemplate: string | null;
  private readonly ownEosTokenIds: readonly number[];
  private readonly mapping: MessageMapping | undefined;
  private usesStandIn = false;

  private constructor(sources: TokenizerFiles) {
    const optional = (name: "tokenizerConfig" | "specialTokensMap" | "addedTokens" | "generationConfig" | "modelConfig"): JsonObject =>
      sources[name] === undefined ? {} : parseJson(FILE_NAMES[name], sources[name]);
    const given = checkTokenizerJson(parseJson(FILE_NAMES.tokenizerJson, sources.tokenizerJson));
    const config = optional("tokenizerConfig");
    const isQwen2 = isQwen2Tokenizer(config, optional("modelConfig"), given);
    const json = isQwen2 ? asQwen2(given) : given;
    const special = readSpecialTokens({ config, map: optional("specialTokensMap"), isQwen2, padding: given["padding"] });
    const added = allAddedTokens({ json, config, addedTokens: optional("addedTokens"), isQwen2 }, special);
    this.sources = sources;
    this.specialTokens = special.named;
    this.encoder = new Encoder(json, added, {
      eosToken: special.named["eos_token"],
      splitsSpecial: config["split_special_tokens"] === true,
    });
    this.specialIds = new Set(added.filter((token) => token.special).map(({ id }) => id));
    this.vocabSize = vocabularySize(json.model, added);
    // transformers cleans up what no byte-pair vocabulary makes.
    const cleansBytePairs = config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"] === true;
    this.cleanUpSpaces = config["clean_up_tokenization_spaces"] === true && (json.model.type !== "BPE" || cleansBytePairs);
    this.modelMaxLength = maxLengthOf(config);
    this.chatTemplates = readChatTemplates(config, sources);
    this.ownTemplate = this.chatTemplates.get("default") ?? null;
    this.chatTemplate = this.ownTemplate;
    const generation = optional("generationConfig");
    this.fillFromGenerationConfig(generation);
    const eos = idsOf(generation, "eos_token_id");
    this.ownEosTokenIds = [...new Set(this.eosTokenId === null ? eos : [...eos, this.eosTokenId])];
    this.eosTokenIds = this.ownEosTokenIds;
  }

  /** A tokenizer from the contents of a model's files. Throws `TokenizerError` naming the file at fault. */
  static fromFiles(files: TokenizerFiles): Tokenizer {
    return new Tokenizer(files);
  }

  /** A tokenizer that is equal to the one that gave these parts. */
  static fromParts({ files, chatTemplate, mapping }: TokenizerParts): Tokenizer {
    const tokenizer = new Tokenizer(files);
    if (mapping !== undefined && chatTemplate !== null) return tokenizer.withChatTemplate(chatTemplate, { mapping });
    if (tokenizer.chatTemplate !== chatTemplate) tokenizer.chatTemplate = chatTemplate;
    return tokenizer;
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
   * Throws `TokenizerError` for what is no text, and where the tokenizer's files make more of it than they may.
   * @param options.addSpecialTokens  add what the post-processor of `tokenizer.json` adds around a text, usually BOS; default true
   */
  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    const { ids } = this.encoder.encode(text);
    const { before, after } = this.encoder.around;
    return addSpecialTokens && before.length + after.length > 0 ? [...before, ...ids, ...after] : ids;
  }

  /**
   * The text of ids; those without a token are left out, and with `skipSpecialTokens` the special ones too. Broken UTF-8 shows as U+FFFD.
   * Throws `TokenizerError` for what is no id.
   */
  decode(ids: ArrayLike<number>, { skipSpecialTokens = false }: { skipSpecialTokens?: boolean } = {}): string {
    const kept: number[] = [];
    const tokens: string[] = [];
    for (const id of Array.from(ids)) {
      const token = this.encoder.tokenOf(id);
      if (token === undefined || (skipSpecialTokens && this.specialIds.has(id))) continue;
      kept.push(id);
      tokens.push(token);
    }
    if (kept.length === 0) return "";
    const text = this.encoder.isByteLevel ? decodeByteLevel(tokens) : this.encoder.decode(kept);
    return this.cleanUpSpaces ? cleanUp(text) : text;
  }

  /** The id of a token, or null; the token as the vocabulary writes it. */
  tokenToId(token: string): number | null {
    return this.encoder.idOf(token) ?? null;
  }

  /** The token of an id as the vocabulary writes it, or null. */
  idToToken(id: number): string | null {
    return this.encoder.tokenOf(id) ?? null;
  }

  /** True for ids that `skipSpecialTokens` leaves out. */
  isSpecial(id: number): boolean {
    return this.specialIds.has(id);
  }

  /**
   * A conversation as ids (or, with `tokenize: false`, as text) under the model's chat template. Nothing is added around it: a
   * template writes its own BOS. Throws `TemplateError` (see `renderChatTemplate`).
   */
  applyChatTemplate(messages: readonly TemplateMessage[], options: ApplyChatTemplateOptions & { tokenize: false }): string;
  applyChatTemplate(messages: readonly TemplateMessage[], options?: ApplyChatTemplateOptions & { tokenize?: true }): number[];
  applyChatTemplate(messages: readonly TemplateMessage[], options?: ApplyChatTemplateOptions): string | number[];
  applyChatTemplate(messages: readonly TemplateMessage[], options: ApplyChatTemplateOptions = {}): string | number[] {
    const { text } = this.renderChat(messages, options);
    return options.tokenize === false ? text : this.encode(text, { addSpecialTokens: false });
  }

  /**
   * A conversation as ids, with 1 in `assistantMask` for each token inside the template's `{% generation %}` blocks.
   * Without such blocks the mask is all 0 (`hasGenerationBlocks` tells).
   */
  applyChatTemplateWithMask(
    messages: readonly TemplateMessage[],
    options: Omit<ApplyChatTemplateOptions, "tokenize"> = {},
  ): { ids: number[]; assistantMask: number[] } {
    if (!this.encoder.isByteLevel) {
      throw new TokenizerError(
        "applyChatTemplateWithMask: this tokenizer is not byte-level, so its tokens cannot be placed in the text; use splitPromptCompletion instead",
      );
    }
    const { text, generations } = this.renderChat(messages, options);
    const { ids, tokens } = this.encoder.encode(text);
    return { ids, assistantMask: assistantMask(text, tokens, generations, (part) => this.encoder.normalize(part)) };
  }

  /** Whether the template that `templateFor` gives marks the assistant's text with `{% generation %}` blocks. */
  hasGenerationBlocks(options: Pick<ApplyChatTemplateOptions, "chatTemplate" | "tools"> = {}): boolean {
    return hasGenerationBlocks(this.templateFor(options).text);
  }

  /**
   * A conversation as text, with what is worth knowing of how it came about: the template that was taken and the others, and reasoning that the template
   * reads under another name than the data. Throws `TemplateError`.
   */
  renderChat(messages: readonly TemplateMessage[], options: Omit<ApplyChatTemplateOptions, "tokenize"> = {}): RenderedConversation {
    const { chatTemplate, ...rest } = options;
    const template = this.templateFor(options);
    const mapped = this.mapping ? mapMessages(messages, this.mapping) : (messages as readonly ChatMessage[]);
    const rendered = renderChat(template.text, mapped, { ...rest, specialTokens: this.specialTokens });
    if (template.source === "stand-in") this.usesStandIn = true;
    return { ...rendered, template };
  }

  /** The template that a conversation is rendered with: one given or named, with tools the model's `tool_use`, else `chatTemplate`; see `selectChatTemplate`. */
  templateFor({ chatTemplate: given, tools }: Pick<ApplyChatTemplateOptions, "chatTemplate" | "tools"> = {}): ChosenTemplate {
    const own = this.chatTemplate === this.ownTemplate ? undefined : this.chatTemplate;
    const withTools = tools !== undefined && tools !== null;
    const isNamed = given !== undefined || (withTools && this.chatTemplates.has("tool_use"));
    const chosen =
      own === null ? undefined : selectChatTemplate(this.chatTemplates, { given: given ?? (isNamed ? undefined : own), withTools });
    return chosen ?? { text: STAND_IN_CHAT_TEMPLATE, source: "stand-in", name: null, others: [] };
  }

  /**
   * The same tokenizer with another chat template, which `files()` then has in place of the model's: see `getChatTemplate` for those that have a name.
   * Throws `TemplateError` for a text that is no template, `ArgumentError` for a mapping that cannot be.
   * @param options.stop     texts at which an answer ends, beside the model's EOS: see `stopTokenIds` and `stopStrings`
   * @param options.mapping  the layout of messages, where it is not `{ role, content }`
   */
  withChatTemplate(
    template: string,
    { stop = [], mapping }: { stop?: readonly string[] | undefined; mapping?: MessageMapping | undefined } = {},
  ): Tokenizer {
    checkChatTemplate(template);
    if (mapping !== undefined) checkMapping("withChatTemplate", mapping);
    const idOf = (text: string): number | undefined => {
      const ids = this.encode(text, { addSpecialTokens: false });
      return ids.length === 1 ? ids[0] : undefined;
    };
    const stopTokenIds = stop.map(idOf).filter((id) => id !== undefined);
    const { additionalChatTemplates: _, ...sources } = this.sources;
    return Object.assign(Object.create(Tokenizer.prototype) as Tokenizer, this, {
      chatTemplate: template,
      chatTemplates: new Map([["default", template]]),
      ownTemplate: template,
      usesStandIn: false,
      sources: { ...sources, chatTemplate: template },
      mapping,
      stopTokenIds,
      stopStrings: stop.filter((text) => !this.specialIds.has(idOf(text) ?? -1)),
      eosTokenIds: [...new Set([...stopTokenIds, ...this.ownEosTokenIds])],
    });
  }

  /** The same tokenizer with another EOS token, which its template, `eosTokenIds` and `files()` then have too; undefined where the vocabulary has no such token. */
  withEosToken(token: string): Tokenizer | undefined {
    const id = this.tokenToId(token);
    if (id === null) return undefined;
    const { tokenizerConfig = {}, specialTokensMap } = this.sources;
    const replaced = (name: string, content: FileContent): JsonObject => ({ ...parseJson(name, content), eos_token: token });
    return Object.assign(Object.create(Tokenizer.prototype) as Tokenizer, this, {
      specialTokens: { ...this.specialTokens, eos_token: token },
      specialIds: new Set([...this.specialIds, id]),
      ownEosTokenIds: [...new Set([id, ...this.ownEosTokenIds])],
      eosTokenIds: [...new Set([id, ...this.eosTokenIds])],
      sources: {
        ...this.sources,
        tokenizerConfig: replaced(FILE_NAMES.tokenizerConfig, tokenizerConfig),
        ...(specialTokensMap !== undefined && { specialTokensMap: replaced(FILE_NAMES.specialTokensMap, specialTokensMap) }),
      },
    });
  }

  get bosToken(): string | null {
    return this.specialTokens["bos_token"] ?? null;
  }

  get eosToken(): string | null {
    return this.specialTokens["eos_token"] ?? null;
  }

  get unkToken(): string | null {
    return this.specialTokens["unk_token"] ?? null;
  }

  /** The padding token; where the model names none, its EOS, as trl does. Padding is told by a mask, never by this id. */
  get padToken(): string | null {
    return this.specialTokens["pad_token"] ?? this.eosToken;
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
   * The model's tokenizer files by name, as they were given: `tokenizer.json`, `tokenizer_config.json`, `special_tokens_map.json`, `added_tokens.json`,
   * `chat_template.jinja` and `additional_chat_templates/…`, those that it has, for writing beside a trained adapter. Where the stand-in template was
   * rendered with, it is the `chat_template.jinja`, so that whoever opens the adapter writes turns as they were trained on.
   */
  files(): Map<string, string | Uint8Array> {
    const names = ["tokenizerJson", "tokenizerConfig", "specialTokensMap", "addedTokens", "chatTemplate"] as const;
    const files = new Map<string, string | Uint8Array>();
    for (const name of names) if (this.sources[name] !== undefined) files.set(FILE_NAMES[name], written(this.sources[name]));
    for (const [name, text] of Object.entries(this.sources.additionalChatTemplates ?? {}))
      files.set(`${TEMPLATE_FOLDER}/${name}.jinja`, text);
    if (this.usesStandIn) files.set(FILE_NAMES.chatTemplate, STAND_IN_CHAT_TEMPLATE);
    return files;
  }

  /** What it is made of, for `fromParts` on another thread. Two tokenizers of equal parts give equal ids. */
  parts(): TokenizerParts {
    return { files: this.sources, chatTemplate: this.chatTemplate, mapping: this.mapping };
  }

  /** EOS and padding that the tokenizer's own files leave out, by the ids of `generation_config.json`; padding only where there is no EOS either. */
  private fillFromGenerationConfig(generation: JsonObject): void {
    const tokenOf = (key: string): string | undefined => {
      const [id] = idsOf(generation, key);
      return id === undefined ? undefined : this.encoder.tokenOf(id);
    };
    this.specialTokens["eos_token"] ??= tokenOf("eos_token_id");
    if (this.padToken === null) this.specialTokens["pad_token"] = tokenOf("pad_token_id");
  }
}

/** One id or several of `generation_config.json`. Throws `TokenizerError`. */
function idsOf(generation: JsonObject, key: string): number[] {
  const value = generation[key] ?? [];
  const ids: unknown[] = Array.isArray(value) ? value : [value];
  if (!ids.every(isId)) throw malformed(FILE_NAMES.generationConfig, key, "an id or a list of ids", value);
  return ids;
}

function maxLengthOf(config: JsonObject): number | undefined {
  const length = config["model_max_length"] ?? config["max_len"];
  return Number.isSafeInteger(length) && (length as number) > 0 ? (length as number) : undefined;
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
