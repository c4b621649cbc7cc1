import type { Token, TokenType } from "./lexer.js";
import { syntaxError } from "./python-error.js";

const DESCRIPTIONS: Readonly<Partial<Record<TokenType, string>>> = {
  data: "template data / text",
  blockBegin: "begin of statement block",
  blockEnd: "end of statement block",
  variableBegin: "begin of print statement",
  variableEnd: "end of print statement",
  end: "end of template",
};

/** What Jinja's messages call a token. */
export function describe(token: Token): string {
  return DESCRIPTIONS[token.type] ?? token.value;
}

/** The tokens of a template with a cursor. */
export class TokenStream {
  private position = 0;

  constructor(private readonly tokens: Token[]) {}

  get current(): Token {
    return this.tokens[Math.min(this.position, this.tokens.length - 1)]!;
  }

  look(): Token {
    return this.tokens[Math.min(this.position + 1, this.tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.current;
    this.position++;
    return token;
  }

  is(type: TokenType, value?: string): boolean {
    return this.current.type === type && (value === undefined || this.current.value === value);
  }

  isOperator(value: string): boolean {
    return this.is("operator", value);
  }

  skipIf(type: TokenType, value?: string): boolean {
    const matches = this.is(type, value);
    if (matches) this.position++;
    return matches;
  }

  expect(type: TokenType, value?: string): Token {
    if (this.is(type, value)) return this.next();
    const expected = value ?? DESCRIPTIONS[type] ?? type;
    if (this.current.type === "end") syntaxError(`unexpected end of template, expected '${expected}'.`, this.current.line);
    return syntaxError(`expected token '${expected}', got '${describe(this.current)}'`, this.current.line);
  }
}
