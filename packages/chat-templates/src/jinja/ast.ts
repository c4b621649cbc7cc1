import type { Value } from "./values.js";

/** An argument list: `f(a, *b, c=d, **e)`. */
export interface Arguments {
  positional: Expression[];
  keyword: { name: string; value: Expression }[];
  positionalRest: Expression | null;
  keywordRest: Expression | null;
}

export type BinaryOperator = "+" | "-" | "*" | "/" | "//" | "%" | "**";
export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

export type Expression =
  | { type: "constant"; value: Value }
  | { type: "name"; name: string }
  | { type: "tuple" | "list"; items: Expression[] }
  | { type: "dict"; entries: { key: Expression; value: Expression }[] }
  | { type: "attribute"; object: Expression; name: string }
  | { type: "item"; object: Expression; index: Expression }
  | { type: "slice"; object: Expression; start: Expression | null; stop: Expression | null; step: Expression | null }
  | { type: "call"; callee: Expression; args: Arguments }
  | { type: "filter"; input: Expression; name: string; args: Arguments }
  | { type: "test"; input: Expression; name: string; args: Arguments }
  | { type: "not" | "negate" | "plus"; operand: Expression }
  | { type: "and" | "or"; left: Expression; right: Expression }
  | { type: "binary"; operator: BinaryOperator; left: Expression; right: Expression }
  | { type: "concat"; parts: Expression[] }
  | { type: "compare"; first: Expression; rest: { operator: ComparisonOperator; operand: Expression }[] }
  | { type: "conditional"; test: Expression; then: Expression; otherwise: Expression | null; line: number };

/** What can stand left of `=` and in `for … in`. */
export type Target =
  | { type: "targetName"; name: string }
  | { type: "targetAttribute"; name: string; attribute: string }
  | { type: "targetTuple"; items: Target[] };

export interface Parameter {
  name: string;
  default: Expression | null;
}

/** The body and signature of a macro or of the block given to one. */
export interface MacroBody {
  name: string | null;
  parameters: Parameter[];
  body: Statement[];
  /** Which of the implicit names the body reads. */
  uses: { caller: boolean; varargs: boolean; kwargs: boolean };
}

/** `line` of a statement counts from 1. */
export type Statement = { line: number } & (
  | { type: "text"; text: string }
  | { type: "output"; value: Expression }
  | { type: "if"; test: Expression; body: Statement[]; otherwise: Statement[] }
  | {
      type: "for";
      target: Target;
      iterable: Expression;
      test: Expression | null;
      recursive: boolean;
      body: Statement[];
      otherwise: Statement[];
    }
  | { type: "set"; target: Target; value: Expression }
  | { type: "setBlock"; target: Target; filters: FilterCall[]; body: Statement[] }
  | { type: "with"; bindings: { target: Target; value: Expression }[]; body: Statement[] }
  | { type: "filterBlock"; filters: FilterCall[]; body: Statement[] }
  | { type: "macro"; macro: MacroBody }
  | { type: "callBlock"; call: Expression & { type: "call" }; caller: MacroBody }
  | { type: "generation"; body: Statement[] }
  | { type: "break" | "continue" }
);

export interface FilterCall {
  name: string;
  args: Arguments;
}
