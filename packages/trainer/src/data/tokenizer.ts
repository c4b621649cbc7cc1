/** One message of a conversation, as chat templates read it. */
export interface ChatMessage {
  role: string;
  content?: unknown;
  [field: string]: unknown;
}

/** Options of {@link Tokenizer.applyChatTemplate}. */
export interface ChatTemplateOptions {
  tokenize: true;
  /** Ends the text with the opening of an assistant turn. */
  addGenerationPrompt?: boolean;
  /** Tools offered to the model, as JSON schemas. */
  tools?: readonly object[];
  /** Jinja text used in place of the model's own template. */
  chatTemplate?: string;
  /** Further variables of the template, transformers' `chat_template_kwargs`. */
  variables?: Readonly<Record<string, unknown>>;
}

/** A conversation as text, and what is worth knowing of how it came about. */
export interface RenderedConversation {
  text: string;
  /** Reasoning that the template reads under other names than the data has it. */
  copiedReasoning: { from: string; to: readonly string[] } | null;
  /** The template that was taken: whose it is, its name among the model's, and the names of those that were not taken. */
  template: { text: string; source: "given" | "model" | "stand-in"; name: string | null; others: readonly string[] };
}

/** What the trainer needs of a tokenizer; `@kto/tokenizer` makes such objects, and any other of this shape will do. */
export interface Tokenizer {
  /** Text to ids; special tokens such as BOS are added unless `addSpecialTokens` is false. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** A conversation to ids; only what the template writes, no special tokens beyond that. */
  applyChatTemplate(messages: ChatMessage[], options: ChatTemplateOptions): number[];
  /** A conversation to ids, with 1 in `assistantMask` for each token inside the template's `{% generation %}` blocks. Needed for `assistantOnlyLoss` alone. */
  applyChatTemplateWithMask?(
    messages: ChatMessage[],
    options: Omit<ChatTemplateOptions, "tokenize">,
  ): { ids: number[]; assistantMask: number[] };
  /** Whether the template that a conversation would be rendered with has such blocks. Needed for `assistantOnlyLoss` alone. */
  hasGenerationBlocks?(options: Pick<ChatTemplateOptions, "chatTemplate" | "tools">): boolean;
  /** The same tokenizer with another EOS token, which its files then have too; undefined where the vocabulary has no such token. Needed for `eosToken` alone. */
  withEosToken?(token: string): Tokenizer | undefined;
  /** A conversation to text, with what the trainer's notes of templates are made from; without it there are none. */
  renderChat?(messages: ChatMessage[], options: Omit<ChatTemplateOptions, "tokenize">): RenderedConversation;
  /** Ids to text; needed only where text is shown. */
  decode?(ids: number[], options?: { skipSpecialTokens?: boolean }): string;
  /** The files it was made of, by name; written beside a trained adapter. */
  files?(): ReadonlyMap<string, string | Uint8Array>;
  /** All that it is made of, as plain data: what tells its ids from those of others in a cache, and what threads make it of again. Without it there are neither. */
  parts?(): object;
  readonly bosToken?: string | null;
  readonly bosTokenId?: number | null;
  readonly eosToken?: string | null;
  readonly eosTokenId?: number | null;
  readonly padTokenId?: number | null;
}
