import type { FilterCall, MacroBody, Parameter, Statement, Target } from "./ast.js";
import { ExpressionReader, type KnownNames } from "./expressions.js";
import { type LibraryExpression, type LibraryStatement, readTree } from "./library.js";
import { Marks } from "./marks.js";
import { syntaxError } from "./python-error.js";
import { templateTokens } from "./tags.js";

/**
 * Parses a template with the lexer and parser of `@huggingface/jinja`: Jinja's statements plus loop controls and
 * transformers' `generation` block. Throws a `PythonError` (`TemplateSyntaxError`, `TemplateAssertionError`).
 */
export function parseTemplate(template: string, known: KnownNames): Statement[] {
  const marks = new Marks();
  const nodes = readTree(templateTokens(template, marks));
  return new StatementReader(new ExpressionReader(marks, known)).readBody(nodes);
}

const TAGS: ReadonlySet<string> = new Set(["If", "For", "Set", "Macro", "CallStatement"]);

/** Turns the library's statements into those of `ast.ts`. */
class StatementReader {
  constructor(private readonly expressions: ExpressionReader) {}

  readBody(nodes: LibraryStatement[]): Statement[] {
    const statements: Statement[] = [];
    for (const node of nodes) {
      if (node.type === "Comment") this.expressions.line = Number(node.value);
      else statements.push(this.readOne(node));
    }
    return statements;
  }

  private readOne(node: LibraryStatement): Statement {
    const { expressions } = this;
    const wasLenient = expressions.lenient;
    if (TAGS.has(node.type)) expressions.lenient = node.type === "If" || (node.type === "Set" && wasLenient);
    const statement = this.readStatement(node, expressions.line);
    expressions.lenient = wasLenient;
    return statement;
  }

  private readStatement(node: LibraryStatement, line: number): Statement {
    const { expressions } = this;
    switch (node.type) {
      case "StringLiteral":
        return { type: "text", text: node.value, line };
      case "If": {
        const test = expressions.readGroup(node.test, { conditional: false });
        return { type: "if", test, body: this.readBody(node.body), otherwise: this.readBody(node.alternate), line };
      }
      case "For":
        return this.readFor(node, line);
      case "Set":
        return this.readSet(node, line);
      case "Macro": {
        const name = expressions.mark(node.name);
        if (name?.type !== "name") return expressions.refuse("a macro without a name");
        const parameters = expressions.readParameters(node.args);
        return { type: "macro", macro: macroBody(name.name, parameters, this.readBody(node.body)), line };
      }
      case "CallStatement":
        return this.readSlot(node, line);
      case "Break":
        return { type: "break", line };
      case "Continue":
        return { type: "continue", line };
      case "Comment":
        return expressions.refuse("a comment out of place");
    }
    return { type: "output", value: expressions.readGroup(node), line };
  }

  private readFor(node: LibraryStatement & { type: "For" }, line: number): Statement {
    const { expressions } = this;
    const target = expressions.readTarget(node.loopvar);
    const slot = node.iterable.type === "CallExpression" ? expressions.mark(node.iterable.callee) : undefined;
    if (node.iterable.type !== "CallExpression" || slot?.type !== "slot") return expressions.refuse("a loop");
    const [items, condition] = expressions.counted(node.iterable.args);
    const iterable = expressions.readGroup(items!, { conditional: false });
    const test = condition ? expressions.readGroup(condition, { tuple: false }) : null;
    const body = this.readBody(node.body);
    return { type: "for", target, iterable, test, recursive: slot.recursive, body, otherwise: this.readBody(node.defaultBlock), line };
  }

  private readSet(node: LibraryStatement & { type: "Set" }, line: number): Statement {
    const { expressions } = this;
    if (node.value) {
      const target = expressions.readTarget(node.assignee, true);
      return { type: "set", target, value: expressions.readGroup(node.value), line };
    }
    const { input, filters } = this.filterCalls(node.assignee);
    const isFilterBlock = expressions.mark(input)?.type === "slot";
    const target: Target | null = isFilterBlock ? null : expressions.readTarget(input, true);
    const body = this.readBody(node.body);
    return target ? { type: "setBlock", target, filters, body, line } : { type: "filterBlock", filters, body, line };
  }

  /** The filters behind the target of a `set` block, in order. */
  private filterCalls(node: LibraryExpression): { input: LibraryExpression; filters: FilterCall[] } {
    const filters: FilterCall[] = [];
    let input = node;
    for (; input.type === "FilterExpression"; input = input.operand) {
      const { kind, name, args } = this.expressions.readFilterCall(input.filter);
      if (kind === "test") this.expressions.refuse("a test of a block");
      filters.unshift({ name, args });
    }
    return { input, filters };
  }

  /** The tags that were given to the library as calls: `call`, `with` and `generation`. */
  private readSlot({ call, callerArgs, body }: LibraryStatement & { type: "CallStatement" }, line: number): Statement {
    const { expressions } = this;
    const slot = call.type === "CallExpression" ? expressions.mark(call.callee) : undefined;
    if (call.type !== "CallExpression" || slot?.type !== "slot") return expressions.refuse("a block");
    if (slot.name === "call") {
      const [group] = expressions.counted(call.args);
      const parameters = callerArgs ? expressions.readParameters(callerArgs) : [];
      const callee = expressions.readGroup(group!, { tuple: false });
      if (callee.type !== "call") return syntaxError("expected call", line);
      return { type: "callBlock", call: callee, caller: macroBody(null, parameters, this.readBody(body)), line };
    }
    if (slot.name === "generation") return { type: "generation", body: this.readBody(body), line };
    const bindings = expressions.readParameters(call.args).map(({ name, default: value }) => {
      if (!value) return syntaxError("expected token '=', got 'end of statement block'", line);
      return { target: { type: "targetName" as const, name }, value };
    });
    return { type: "with", bindings, body: this.readBody(body), line };
  }
}

function macroBody(name: string | null, parameters: Parameter[], body: Statement[]): MacroBody {
  const read = new Set<string>();
  collectNames(body, read);
  const implicit = (word: string): boolean => read.has(word) && !parameters.some((parameter) => parameter.name === word);
  return { name, parameters, body, uses: { caller: implicit("caller"), varargs: implicit("varargs"), kwargs: implicit("kwargs") } };
}

/** Every variable name read anywhere under a node. */
function collectNames(node: unknown, names: Set<string>): void {
  if (Array.isArray(node)) {
    for (const item of node) collectNames(item, names);
  } else if (typeof node === "object" && node !== null) {
    const { type, name } = node as { type?: unknown; name?: unknown };
    if (type === "name" && typeof name === "string") names.add(name);
    else collectNames(Object.values(node), names);
  }
}
