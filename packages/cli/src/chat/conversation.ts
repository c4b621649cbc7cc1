import type { ChatMessage } from "@kto/generate";

/** What was said, as a chat template takes it. Answers stand in it whole, with their thinking: a template leaves out of earlier ones what it does not want. */
export class Conversation {
  #system: ChatMessage | undefined;
  #turns: ChatMessage[] = [];

  /** @param messages  a conversation to go on with; a system message may come first */
  constructor(messages: readonly ChatMessage[] = []) {
    const [first, ...rest] = messages;
    this.#system = first?.role === "system" ? first : undefined;
    this.#turns = this.#system ? rest : [...messages];
  }

  get messages(): ChatMessage[] {
    return this.#system ? [this.#system, ...this.#turns] : [...this.#turns];
  }

  get system(): string | undefined {
    return this.#system && String(this.#system.content);
  }

  set system(text: string | undefined) {
    this.#system = text === undefined ? undefined : { role: "system", content: text };
  }

  /** True if the last word is the user's: it has no answer yet. */
  get isAsked(): boolean {
    return this.#turns.at(-1)?.role === "user";
  }

  ask(text: string): void {
    this.#turns.push({ role: "user", content: text });
  }

  answer(text: string): void {
    this.#turns.push({ role: "assistant", content: text });
  }

  /** Takes back the last question and what came of it; false where there is none. */
  undo(): boolean {
    const at = this.#turns.findLastIndex(({ role }) => role === "user");
    if (at >= 0) this.#turns.splice(at);
    return at >= 0;
  }

  /** Begins anew; the system message stays. */
  reset(): void {
    this.#turns = [];
  }
}
