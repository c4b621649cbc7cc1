import type { Arguments, BinaryOperator, ComparisonOperator, Expression, FilterCall, Parameter, Target } from "./ast.js";
import type { LibraryExpression } from "./library.js";
import type { Mark, Marks } from "./marks.js";
import { expectDepth } from "./nesting.js";
import { PythonError, syntaxError } from "./python-error.js";

/** Names a template may use after `|` and after `is`. */
export interface KnownNames {
  filters: ReadonlySet<string>;
  tests: ReadonlySet<string>;
}

const CONSTANTS: ReadonlyMap<string, boolean | null> = new Map([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);
const COMPARISONS: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">=", "in", "not in"]);
const ADDITIVE: ReadonlySet<string> = new Set(["+", "-", "~"]);

/**
 * Turns the library's expressions into those of `ast.ts`. Where its grammar nests otherwise than Jinja2's the tree is turned
 * (comparisons make one chain, `~` binds tighter than `+`); what cannot be told apart is refused. Throws `TemplateSyntaxError`.
 */
export class ExpressionReader {
  /** The line of the statement that is read. */
  line = 1;
  /** True inside `if`, where Jinja only complains about an unknown filter or test when it is reached. */
  lenient = false;
  private depth = 0;

  constructor(
    private readonly marks: Marks,
    private readonly known: KnownNames,
  ) {}

  read(node: LibraryExpression): Expression {
    expectDepth("operators", ++this.depth, this.line);
    const expression = this.readOne(node);
    this.depth--;
    return expression;
  }

  private readOne(node: LibraryExpression): Expression {
    switch (node.type) {
      case "Identifier":
        return this.readWord(node);
      case "MemberExpression":
        return this.readMember(node);
      case "CallExpression":
        return this.mark(node.callee)?.type === "group" ? this.readGroup(node) : this.readCall(node);
      case "ArrayLiteral":
        return { type: "list", items: this.counted(node.value).map((item) => this.read(item)) };
      case "ObjectLiteral": {
        const entries = new Map(node.value);
        this.counted([...node.value.keys()]);
        entries.delete(entries.keys().next().value!);
        return { type: "dict", entries: [...entries].map(([key, value]) => ({ key: this.read(key), value: this.read(value) })) };
      }
      case "UnaryExpression": {
        const type = ({ not: "not", "-": "negate", "+": "plus" } as const)[node.operator.value];
        return type ? { type, operand: this.read(node.argument) } : this.refuse(`'${node.operator.value}'`);
      }
      case "BinaryExpression":
        return this.readBinary(node);
      case "FilterExpression":
        return this.readFilter(node);
      case "SelectExpression":
        return this.readConditional(node.test, node.lhs, null);
      case "Ternary":
        return this.readConditional(node.condition, node.trueExpr, node.falseExpr);
    }
    const sign = node.type === "SpreadExpression" ? "*" : node.type === "KeywordSpreadExpression" ? "**" : "=";
    return syntaxError(`unexpected '${sign}'`, this.line);
  }

  /** The mark of a word. */
  mark(node: LibraryExpression | null | undefined): Mark | undefined {
    return node?.type === "Identifier" ? this.marks.at(node.value) : undefined;
  }

  /** What a bracket holds behind its number of items, which the parser must have found. */
  counted(items: LibraryExpression[]): LibraryExpression[] {
    const [first, ...rest] = items;
    const mark = this.mark(first);
    if (mark?.type !== "items" || mark.count !== rest.length) this.refuse("an expression without brackets around a part of it", mark?.line);
    return rest;
  }

  /** What stands alone in a tag: a group of one, or a tuple. With `conditional` off an `if` in it is refused. */
  readGroup(node: LibraryExpression, { conditional = true, tuple = true }: { conditional?: boolean; tuple?: boolean } = {}): Expression {
    if (node.type !== "CallExpression" || this.mark(node.callee)?.type !== "group") return this.refuse("an expression out of place");
    const items = this.counted(node.args);
    const mark = this.mark(node.args[0]) as Mark & { type: "items" };
    if (!conditional && items.some(({ type }) => type === "Ternary" || type === "SelectExpression"))
      syntaxError("expected token 'end of statement block', got 'if'", this.line);
    if (items.length === 1 && !mark.trailing) return this.read(items[0]!);
    if (items.length === 0 && mark.shown !== "(") syntaxError(`Expected an expression, got '${mark.shown}'`, mark.line);
    if (!tuple) syntaxError(`expected token '${mark.shown}', got ','`, mark.line);
    return { type: "tuple", items: items.map((item) => this.read(item)) };
  }

  private readWord(node: LibraryExpression): Expression {
    const mark = this.mark(node);
    if (mark?.type === "constant") return { type: "constant", value: mark.value };
    if (mark?.type !== "name") return this.refuse("a word out of place");
    const constant = CONSTANTS.get(mark.name);
    return constant === undefined ? { type: "name", name: mark.name } : { type: "constant", value: constant };
  }

  private readMember(node: LibraryExpression & { type: "MemberExpression" }): Expression {
    const { property } = node;
    const object = this.read(node.object);
    if (!node.computed) {
      const mark = this.mark(property);
      if (mark?.type === "name") return { type: "attribute", object, name: mark.name };
      if (mark?.type === "constant" && typeof mark.value === "bigint") return { type: "item", object, index: this.read(property) };
      return syntaxError("expected name or number", this.line);
    }
    if (property.type !== "SliceExpression") return { type: "item", object, index: this.readGroup(property) };
    const [start, stop, step] = [property.start, property.stop, property.step].map((bound) =>
      bound ? this.readGroup(bound, { tuple: false }) : null,
    );
    return { type: "slice", object, start: start!, stop: stop!, step: step! };
  }

  private readCall({ callee, args }: LibraryExpression & { type: "CallExpression" }): Expression & { type: "call" } {
    return { type: "call", callee: this.read(callee), args: this.readArguments(args) };
  }

  readArguments(nodes: LibraryExpression[]): Arguments {
    const args = noArguments();
    for (const node of this.counted(nodes)) {
      if (node.type === "KeywordArgumentExpression") args.keyword.push({ name: this.nameOf(node.key), value: this.read(node.value) });
      else if (node.type === "SpreadExpression") args.positionalRest = this.read(node.argument);
      else if (node.type === "KeywordSpreadExpression") args.keywordRest = this.read(node.argument);
      else args.positional.push(this.read(node));
    }
    return args;
  }

  readParameters(nodes: LibraryExpression[]): Parameter[] {
    return this.counted(nodes).map((node) =>
      node.type === "KeywordArgumentExpression"
        ? { name: this.nameOf(node.key), default: this.read(node.value) }
        : { name: this.nameOf(node), default: null },
    );
  }

  private readBinary(node: LibraryExpression & { type: "BinaryExpression" }): Expression {
    const operator = node.operator.value;
    if (COMPARISONS.has(operator)) {
      const { first, rest } = this.chain(node, COMPARISONS);
      return { type: "compare", first, rest: rest as { operator: ComparisonOperator; operand: Expression }[] };
    }
    if (ADDITIVE.has(operator)) return this.readSum(node);
    const [left, right] = [this.read(node.left), this.read(node.right)];
    if (operator === "and" || operator === "or") return { type: operator, left, right };
    return { type: "binary", operator: operator as BinaryOperator, left, right };
  }

  /** `a + b ~ c` is `a + (b ~ c)` in Jinja2, `(a + b) ~ c` in the library. */
  private readSum(node: LibraryExpression): Expression {
    const { first, rest } = this.chain(node, ADDITIVE);
    let parts = [first];
    let sum: { left: Expression; operator: BinaryOperator } | null = null;
    const finish = (): Expression => {
      const right: Expression = parts.length === 1 ? parts[0]! : { type: "concat", parts };
      return sum ? { type: "binary", operator: sum.operator, left: sum.left, right } : right;
    };
    let sums = 0;
    for (const { operator, operand } of rest) {
      if (operator === "~") {
        parts.push(operand);
      } else {
        expectDepth("operators", ++sums, this.line);
        sum = { left: finish(), operator: operator as BinaryOperator };
        parts = [operand];
      }
    }
    return finish();
  }

  /** Operands and operators that the library nested to the left without brackets. */
  private chain(
    node: LibraryExpression,
    operators: ReadonlySet<string>,
  ): { first: Expression; rest: { operator: string; operand: Expression }[] } {
    const rest: { operator: string; operand: Expression }[] = [];
    let first = node;
    for (; first.type === "BinaryExpression" && operators.has(first.operator.value); first = first.left)
      rest.push({ operator: first.operator.value, operand: this.read(first.right) });
    return { first: this.read(first), rest: rest.reverse() };
  }

  private readConditional(test: LibraryExpression, then: LibraryExpression, otherwise: LibraryExpression | null): Expression {
    const { line } = this;
    const thenExpression = this.read(then);
    const wasLenient = this.lenient;
    this.lenient = true;
    const testExpression = this.read(test);
    const otherwiseExpression = otherwise && this.read(otherwise);
    this.lenient = wasLenient;
    return { type: "conditional", test: testExpression, then: thenExpression, otherwise: otherwiseExpression, line };
  }

  private readFilter({ operand, filter }: LibraryExpression & { type: "FilterExpression" }): Expression {
    const input = this.read(operand);
    const call = this.readFilterCall(filter);
    if (call.kind === "filter") return { type: "filter", input, name: call.name, args: call.args };
    const test: Expression = { type: "test", input, name: call.name, args: call.args };
    return call.negated ? { type: "not", operand: test } : test;
  }

  /** What stands behind `|`: a filter, or the test that `is` was written as. */
  readFilterCall(node: LibraryExpression): FilterCall & { kind: "filter" | "test"; negated: boolean } {
    const isCall = node.type === "CallExpression";
    const mark = this.mark(isCall ? node.callee : node);
    const args = isCall ? this.readArguments(node.args) : noArguments();
    if (mark?.type !== "name" && mark?.type !== "test") return this.refuse("a filter that is not a name");
    const kind = mark.type === "name" ? "filter" : "test";
    const known = kind === "filter" ? this.known.filters : this.known.tests;
    if (!this.lenient && !known.has(mark.name))
      throw new PythonError("TemplateAssertionError", `No ${kind} named '${mark.name}'.`, mark.line);
    return { kind, name: mark.name, negated: mark.type === "test" && mark.negated, args };
  }

  /** What an assignment or a loop binds; `ns.attribute` only with `namespace`. */
  readTarget(node: LibraryExpression, namespace = false): Target {
    if (node.type === "TupleLiteral") return { type: "targetTuple", items: node.value.map((item) => this.readTarget(item, namespace)) };
    if (namespace && node.type === "MemberExpression" && !node.computed)
      return { type: "targetAttribute", name: this.nameOf(node.object), attribute: this.nameOf(node.property) };
    return { type: "targetName", name: this.nameOf(node) };
  }

  private nameOf(node: LibraryExpression): string {
    const mark = this.mark(node);
    if (mark?.type === "name" && !CONSTANTS.has(mark.name)) return mark.name;
    return mark?.type === "constant" || mark?.type === "name"
      ? syntaxError("can't assign to 'const'", this.line)
      : this.refuse("an assignment to an expression");
  }

  /** Refuses what the library's tree cannot say as Jinja2 means it. */
  refuse(what: string, line: number = this.line): never {
    return syntaxError(`${what} cannot be read as Jinja2 reads it`, line);
  }
}

function noArguments(): Arguments {
  return { positional: [], keyword: [], positionalRest: null, keywordRest: null };
}
