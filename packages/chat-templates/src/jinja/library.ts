import { parse, tokenize } from "@huggingface/jinja";
import type { Marks } from "./marks.js";
import { syntaxError } from "./python-error.js";

/** A token of `@huggingface/jinja`, with the line it stands on and what the template has there. */
export interface PlacedToken {
  readonly type: ReturnType<typeof tokenize>[number]["type"];
  readonly value: string;
  readonly line: number;
  readonly shown: string;
}

/** The nodes that the library's parser makes of expressions. */
export type LibraryExpression =
  | { type: "Identifier"; value: string }
  | { type: "MemberExpression"; object: LibraryExpression; property: LibraryExpression; computed: boolean }
  | { type: "CallExpression"; callee: LibraryExpression; args: LibraryExpression[] }
  | { type: "ArrayLiteral" | "TupleLiteral"; value: LibraryExpression[] }
  | { type: "ObjectLiteral"; value: Map<LibraryExpression, LibraryExpression> }
  | { type: "BinaryExpression"; operator: { value: string }; left: LibraryExpression; right: LibraryExpression }
  | { type: "UnaryExpression"; operator: { value: string }; argument: LibraryExpression }
  | { type: "FilterExpression"; operand: LibraryExpression; filter: LibraryExpression }
  | { type: "SelectExpression"; lhs: LibraryExpression; test: LibraryExpression }
  | { type: "Ternary"; condition: LibraryExpression; trueExpr: LibraryExpression; falseExpr: LibraryExpression }
  | { type: "SliceExpression"; start?: LibraryExpression; stop?: LibraryExpression; step?: LibraryExpression }
  | { type: "KeywordArgumentExpression"; key: LibraryExpression; value: LibraryExpression }
  | { type: "SpreadExpression" | "KeywordSpreadExpression"; argument: LibraryExpression };

/** The nodes of statements; a `StringLiteral` is text, a `Comment` holds the line of what follows it. */
export type LibraryStatement =
  | LibraryExpression
  | { type: "StringLiteral" | "Comment"; value: string }
  | { type: "If"; test: LibraryExpression; body: LibraryStatement[]; alternate: LibraryStatement[] }
  | {
      type: "For";
      loopvar: LibraryExpression;
      iterable: LibraryExpression;
      body: LibraryStatement[];
      defaultBlock: LibraryStatement[];
    }
  | { type: "Set"; assignee: LibraryExpression; value: LibraryExpression | null; body: LibraryStatement[] }
  | { type: "Macro"; name: LibraryExpression; args: LibraryExpression[]; body: LibraryStatement[] }
  | { type: "CallStatement"; call: LibraryExpression; callerArgs: LibraryExpression[] | null; body: LibraryStatement[] }
  | { type: "Break" | "Continue" };

/** The library's tokens for the code of one tag. Lines are found by searching the code for each. Throws `TemplateSyntaxError`. */
export function readTokens(code: string, firstLine: number, marks: Marks): PlacedToken[] {
  const source = `{{ ${code} }}`;
  let position = "{{".length;
  let line = firstLine;
  const place = ({ type, value }: { type: PlacedToken["type"]; value: string }): PlacedToken => {
    const at = source.indexOf(value, position);
    line += source.slice(position, at).split("\n").length - 1;
    position = at + value.length;
    return { type, value, line, shown: marks.at(value)?.shown ?? value };
  };
  try {
    return tokenize(source).slice(1, -1).map(place);
  } catch (error) {
    return syntaxError(error instanceof Error ? error.message : String(error), line);
  }
}

/** The library's syntax tree. Where its parser fails, the token it looked at last is the unexpected one. Throws `TemplateSyntaxError`. */
export function readTree(tokens: readonly PlacedToken[]): LibraryStatement[] {
  let last = 0;
  const watched = tokens.map(({ type, value }, index) => ({
    value,
    get type() {
      last = Math.max(last, index);
      return type;
    },
  }));
  try {
    return parse(watched).body as unknown as LibraryStatement[];
  } catch (error) {
    const { line, shown } = tokens[last] ?? { line: 1, shown: "end of template" };
    if (error instanceof RangeError) throw error;
    return syntaxError(`unexpected '${shown}'`, line);
  }
}
