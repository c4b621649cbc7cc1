import type { Arguments, BinaryOperator, ComparisonOperator, Expression, FilterCall, Target } from "./ast.js";
import { PythonError, syntaxError } from "./python-error.js";
import { describe, type TokenStream } from "./token-stream.js";

/** Names a template may use after `|` and after `is`. */
export interface KnownNames {
  filters: ReadonlySet<string>;
  tests: ReadonlySet<string>;
}

const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);
const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);

/** Where an expression must stop, beyond the end of its tag: names such as `in` and `recursive`. */
interface TupleRules {
  conditional?: boolean;
  endNames?: string[];
  parenthesised?: boolean;
}

/** What a target may be: `ns.attribute` too, several names, and the names that end it. */
interface TargetRules {
  namespace?: boolean;
  tuple?: boolean;
  endNames?: string[];
}

/** Recursive descent over Jinja's expression grammar, loosest binding first. Throws `TemplateSyntaxError`. */
export class ExpressionParser {
  /** True inside `if`, where Jinja only complains about an unknown filter or test when it is reached. */
  lenient = false;

  constructor(
    protected readonly tokens: TokenStream,
    private readonly known: KnownNames,
  ) {}

  /** An expression, or several separated by commas, which make a tuple. */
  parseTuple({ conditional = true, endNames = [], parenthesised = false }: TupleRules = {}): Expression {
    const items: Expression[] = [];
    let isTuple = false;
    const atEnd = (): boolean =>
      ["variableEnd", "blockEnd"].includes(this.tokens.current.type) ||
      this.tokens.isOperator(")") ||
      endNames.some((name) => this.tokens.is("name", name));
    while (!atEnd()) {
      items.push(conditional ? this.parseExpression() : this.parseOr());
      if (!this.tokens.skipIf("operator", ",")) break;
      isTuple = true;
    }
    if (!isTuple && items[0]) return items[0];
    if (items.length === 0 && !parenthesised) {
      syntaxError(`Expected an expression, got '${describe(this.tokens.current)}'`, this.tokens.current.line);
    }
    return { type: "tuple", items };
  }

  parseExpression(): Expression {
    let result = this.parseOr();
    for (;;) {
      const { line } = this.tokens.current;
      if (!this.tokens.skipIf("name", "if")) return result;
      const wasLenient = this.lenient;
      this.lenient = true;
      const test = this.parseOr();
      const otherwise = this.tokens.skipIf("name", "else") ? this.parseExpression() : null;
      this.lenient = wasLenient;
      result = { type: "conditional", test, then: result, otherwise, line };
    }
  }

  parseOr(): Expression {
    let left = this.parseAnd();
    while (this.tokens.skipIf("name", "or")) left = { type: "or", left, right: this.parseAnd() };
    return left;
  }

  private parseAnd(): Expression {
    let left = this.parseNot();
    while (this.tokens.skipIf("name", "and")) left = { type: "and", left, right: this.parseNot() };
    return left;
  }

  private parseNot(): Expression {
    return this.tokens.skipIf("name", "not") ? { type: "not", operand: this.parseNot() } : this.parseComparison();
  }

  private parseComparison(): Expression {
    const first = this.parseSum();
    const rest: { operator: ComparisonOperator; operand: Expression }[] = [];
    for (;;) {
      const token = this.tokens.current;
      let operator: ComparisonOperator;
      if (token.type === "operator" && COMPARISONS.has(token.value)) {
        operator = this.tokens.next().value as ComparisonOperator;
      } else if (this.tokens.skipIf("name", "in")) {
        operator = "in";
      } else if (this.tokens.is("name", "not") && this.tokens.look().value === "in") {
        this.tokens.next();
        this.tokens.next();
        operator = "not in";
      } else {
        return rest.length === 0 ? first : { type: "compare", first, rest };
      }
      rest.push({ operator, operand: this.parseSum() });
    }
  }

  private parseSum(): Expression {
    return this.parseBinary(["+", "-"], () => this.parseConcat());
  }

  private parseConcat(): Expression {
    const parts = [this.parseProduct()];
    while (this.tokens.skipIf("operator", "~")) parts.push(this.parseProduct());
    return parts.length === 1 ? parts[0]! : { type: "concat", parts };
  }

  private parseProduct(): Expression {
    return this.parseBinary(["*", "/", "//", "%"], () => this.parseBinary(["**"], () => this.parseUnary()));
  }

  private parseBinary(operators: BinaryOperator[], parseOperand: () => Expression): Expression {
    let left = parseOperand();
    while (this.tokens.current.type === "operator" && operators.includes(this.tokens.current.value as BinaryOperator)) {
      const operator = this.tokens.next().value as BinaryOperator;
      left = { type: "binary", operator, left, right: parseOperand() };
    }
    return left;
  }

  /** A sign binds tighter than a filter: `-3 | abs` is 3. */
  private parseUnary(withFilters = true): Expression {
    let node: Expression;
    if (this.tokens.skipIf("operator", "-")) node = { type: "negate", operand: this.parseUnary(false) };
    else if (this.tokens.skipIf("operator", "+")) node = { type: "plus", operand: this.parseUnary(false) };
    else node = this.parsePrimary();
    node = this.parsePostfix(node);
    return withFilters ? this.parseFiltersAndTests(node) : node;
  }

  protected parsePrimary(): Expression {
    const token = this.tokens.next();
    switch (token.type) {
      case "name": {
        const constant = CONSTANTS.get(token.value);
        return constant === undefined ? { type: "name", name: token.value } : { type: "constant", value: constant };
      }
      case "string": {
        let value = token.value;
        while (this.tokens.is("string")) value += this.tokens.next().value;
        return { type: "constant", value };
      }
      case "integer":
        return { type: "constant", value: BigInt(token.value.replaceAll("_", "")) };
      case "float":
        return { type: "constant", value: Number(token.value.replaceAll("_", "")) };
      case "operator":
        if (token.value === "(") {
          const inner = this.parseTuple({ parenthesised: true });
          this.tokens.expect("operator", ")");
          return inner;
        }
        if (token.value === "[") return { type: "list", items: this.parseItems("]", () => this.parseExpression()) };
        if (token.value === "{") return { type: "dict", entries: this.parseItems("}", () => this.parseEntry()) };
    }
    return syntaxError(`unexpected '${describe(token)}'`, token.line);
  }

  private parseEntry(): { key: Expression; value: Expression } {
    const key = this.parseExpression();
    this.tokens.expect("operator", ":");
    return { key, value: this.parseExpression() };
  }

  private parseItems<Item>(closer: string, parseItem: () => Item): Item[] {
    const items: Item[] = [];
    while (!this.tokens.isOperator(closer)) {
      if (items.length > 0) this.tokens.expect("operator", ",");
      if (this.tokens.isOperator(closer)) break;
      items.push(parseItem());
    }
    this.tokens.expect("operator", closer);
    return items;
  }

  private parsePostfix(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.tokens.skipIf("operator", ".")) node = this.parseAttribute(node);
      else if (this.tokens.skipIf("operator", "[")) node = this.parseSubscript(node);
      else if (this.tokens.isOperator("(")) node = { type: "call", callee: node, args: this.parseArguments() };
      else return node;
    }
  }

  private parseAttribute(object: Expression): Expression {
    const token = this.tokens.next();
    if (token.type === "name") return { type: "attribute", object, name: token.value };
    if (token.type !== "integer") syntaxError("expected name or number", token.line);
    return { type: "item", object, index: { type: "constant", value: BigInt(token.value) } };
  }

  private parseSubscript(object: Expression): Expression {
    const parts = this.parseItems("]", () => this.parseSubscriptPart(object));
    const [first] = parts;
    if (!first) syntaxError("Expected an expression, got ']'", this.tokens.current.line);
    if (parts.length === 1) return first.type === "slice" ? first : { type: "item", object, index: first };
    return { type: "item", object, index: { type: "tuple", items: parts } };
  }

  private parseSubscriptPart(object: Expression): Expression {
    const parts: (Expression | null)[] = [];
    let bounds = 0;
    const atEnd = (): boolean => this.tokens.isOperator("]") || this.tokens.isOperator(",");
    for (;;) {
      parts.push(this.tokens.isOperator(":") || atEnd() ? null : this.parseExpression());
      if (bounds === 2 || !this.tokens.skipIf("operator", ":")) break;
      bounds++;
    }
    if (bounds === 0 && parts[0]) return parts[0];
    const [start = null, stop = null, step = null] = parts;
    return { type: "slice", object, start, stop, step };
  }

  parseArguments(): Arguments {
    const { line } = this.tokens.expect("operator", "(");
    const args: Arguments = { positional: [], keyword: [], positionalRest: null, keywordRest: null };
    const refuseIf = (refused: boolean): void => {
      if (refused) syntaxError("invalid syntax for function call expression", line);
    };
    let isFirst = true;
    while (!this.tokens.isOperator(")")) {
      if (!isFirst) {
        this.tokens.expect("operator", ",");
        if (this.tokens.isOperator(")")) break;
      }
      isFirst = false;
      if (this.tokens.skipIf("operator", "*")) {
        refuseIf(args.positionalRest !== null || args.keywordRest !== null);
        args.positionalRest = this.parseExpression();
      } else if (this.tokens.skipIf("operator", "**")) {
        refuseIf(args.keywordRest !== null);
        args.keywordRest = this.parseExpression();
      } else if (this.tokens.is("name") && this.tokens.look().type === "operator" && this.tokens.look().value === "=") {
        refuseIf(args.keywordRest !== null);
        const name = this.tokens.next().value;
        this.tokens.next();
        args.keyword.push({ name, value: this.parseExpression() });
      } else {
        refuseIf(args.positionalRest !== null || args.keywordRest !== null || args.keyword.length > 0);
        args.positional.push(this.parseExpression());
      }
    }
    this.tokens.expect("operator", ")");
    return args;
  }

  private parseFiltersAndTests(start: Expression): Expression {
    let node = start;
    for (;;) {
      if (this.tokens.isOperator("|")) node = { type: "filter", input: node, ...this.parseFilterCall() };
      else if (this.tokens.is("name", "is")) node = this.parseTest(node);
      else if (this.tokens.isOperator("(")) node = { type: "call", callee: node, args: this.parseArguments() };
      else return node;
    }
  }

  /** `| name(args)`, the bar included. */
  protected parseFilterCall(bar = true): FilterCall {
    if (bar) this.tokens.expect("operator", "|");
    const { line } = this.tokens.current;
    const name = this.parseDottedName();
    if (!this.known.filters.has(name)) this.refuseUnknown("filter", name, line);
    return { name, args: this.tokens.isOperator("(") ? this.parseArguments() : noArguments() };
  }

  private parseTest(input: Expression): Expression {
    const { line } = this.tokens.expect("name", "is");
    const negated = this.tokens.skipIf("name", "not");
    const name = this.parseDottedName();
    if (!this.known.tests.has(name)) this.refuseUnknown("test", name, line);
    const { current } = this.tokens;
    let args = noArguments();
    if (this.tokens.isOperator("(")) {
      args = this.parseArguments();
    } else if (
      ["name", "string", "integer", "float"].includes(current.type) ||
      this.tokens.isOperator("[") ||
      this.tokens.isOperator("{")
    ) {
      if (this.tokens.is("name", "is")) syntaxError("You cannot chain multiple tests with is", line);
      if (current.type !== "name" || !["else", "or", "and"].includes(current.value)) {
        args.positional.push(this.parsePostfix(this.parsePrimary()));
      }
    }
    const test: Expression = { type: "test", input, name, args };
    return negated ? { type: "not", operand: test } : test;
  }

  private parseDottedName(): string {
    let name = this.tokens.expect("name").value;
    while (this.tokens.skipIf("operator", ".")) name += `.${this.tokens.expect("name").value}`;
    return name;
  }

  private refuseUnknown(kind: "filter" | "test", name: string, line: number): void {
    if (!this.lenient) throw new PythonError("TemplateAssertionError", `No ${kind} named '${name}'.`, line);
  }

  /** What an assignment or a loop binds; `ns.attribute` only in `set`. */
  parseTarget({ namespace = false, endNames = [], tuple = true }: TargetRules = {}): Target {
    const parseOne = (): Target => {
      if (this.tokens.skipIf("operator", "(")) {
        const inner = this.parseTarget({ namespace, endNames });
        this.tokens.expect("operator", ")");
        return inner;
      }
      const token = this.tokens.expect("name");
      if (CONSTANTS.has(token.value)) syntaxError("can't assign to 'const'", token.line);
      if (!namespace || !this.tokens.skipIf("operator", ".")) return { type: "targetName", name: token.value };
      return { type: "targetAttribute", name: token.value, attribute: this.tokens.expect("name").value };
    };
    const first = parseOne();
    if (!tuple || !this.tokens.isOperator(",")) return first;
    const items = [first];
    while (this.tokens.skipIf("operator", ",")) {
      if (this.tokens.isOperator("=") || this.tokens.isOperator(")") || endNames.some((name) => this.tokens.is("name", name))) break;
      items.push(parseOne());
    }
    return { type: "targetTuple", items };
  }
}

function noArguments(): Arguments {
  return { positional: [], keyword: [], positionalRest: null, keywordRest: null };
}
