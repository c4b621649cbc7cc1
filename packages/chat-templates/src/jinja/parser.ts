import type { Expression, MacroBody, Parameter, Statement } from "./ast.js";
import { ExpressionParser, type KnownNames } from "./expression-parser.js";
import { tokenize } from "./lexer.js";
import { syntaxError } from "./python-error.js";
import { TokenStream } from "./token-stream.js";

/** Tags of Jinja that read other templates; a chat template stands alone, and transformers refuses them too. */
const NEEDS_LOADER: ReadonlySet<string> = new Set(["extends", "include", "import", "from", "block"]);

/**
 * Parses a template: Jinja's statements plus loop controls and transformers' `generation` block.
 * Throws a `PythonError` (`TemplateSyntaxError`, `TemplateAssertionError`).
 */
export function parseTemplate(template: string, known: KnownNames): Statement[] {
  return new StatementParser(new TokenStream(tokenize(template)), known).parseAll();
}

class StatementParser extends ExpressionParser {
  /** Tags that are open, innermost last, and the tag names each waits for. */
  private readonly openTags: string[] = [];
  private readonly awaited: string[][] = [];
  private loopDepth = 0;

  parseAll(): Statement[] {
    return this.parseStatements([]);
  }

  /** Statements up to a tag named in `ends`, of which only the opening delimiter is consumed. */
  private parseStatements(ends: string[]): Statement[] {
    if (ends.length > 0) this.awaited.push(ends);
    const statements: Statement[] = [];
    for (;;) {
      const token = this.tokens.next();
      if (token.type === "data") {
        statements.push({ type: "text", text: token.value, line: token.line });
      } else if (token.type === "variableBegin") {
        statements.push({ type: "output", value: this.parseTuple(), line: token.line });
        this.tokens.expect("variableEnd");
      } else if (token.type === "blockBegin") {
        if (ends.some((name) => this.tokens.is("name", name))) {
          this.awaited.pop();
          return statements;
        }
        statements.push(this.parseTag());
      } else {
        if (ends.length > 0) this.failAtTag(null, token.line);
        return statements;
      }
    }
  }

  /** The body of a tag and its closing tag, which takes no expression. */
  private parseBody(end: string): Statement[] {
    this.tokens.expect("blockEnd");
    const body = this.parseStatements([end]);
    this.tokens.next();
    this.tokens.expect("blockEnd");
    return body;
  }

  /** A body that runs elsewhere: loops around it are none of its own. */
  private parseMacroStatements(end: string): Statement[] {
    const depth = this.loopDepth;
    this.loopDepth = 0;
    const body = this.parseBody(end);
    this.loopDepth = depth;
    return body;
  }

  private parseTag(): Statement {
    const token = this.tokens.expect("name");
    const { value: tag, line } = token;
    this.openTags.push(tag);
    const wasLenient = this.lenient;
    this.lenient = tag === "if" || (tag === "set" && wasLenient);
    const statement = this.parseTagNamed(tag, line);
    this.lenient = wasLenient;
    this.openTags.pop();
    return statement;
  }

  private parseTagNamed(tag: string, line: number): Statement {
    switch (tag) {
      case "if":
        return this.parseIf(line);
      case "for":
        return this.parseFor(line);
      case "set":
        return this.parseSet(line);
      case "with":
        return this.parseWith(line);
      case "filter": {
        const filters = [this.parseFilterCall(false)];
        while (this.tokens.isOperator("|")) filters.push(this.parseFilterCall());
        return { type: "filterBlock", filters, body: this.parseBody("endfilter"), line };
      }
      case "macro": {
        const name = this.tokens.expect("name").value;
        const parameters = this.parseParameters();
        return { type: "macro", macro: macroBody(name, parameters, this.parseMacroStatements("endmacro")), line };
      }
      case "call": {
        const parameters = this.tokens.isOperator("(") ? this.parseParameters() : [];
        const call = this.parseExpression();
        if (call.type !== "call") syntaxError("expected call", line);
        return { type: "callBlock", call, caller: macroBody(null, parameters, this.parseMacroStatements("endcall")), line };
      }
      case "generation":
        return { type: "generation", body: this.parseBody("endgeneration"), line };
      case "break":
      case "continue":
        if (this.loopDepth === 0) syntaxError(`'${tag}' outside loop`, line);
        this.tokens.expect("blockEnd");
        return { type: tag, line };
    }
    if (NEEDS_LOADER.has(tag)) syntaxError(`'${tag}' reads another template, and a chat template has none beside it`, line);
    this.openTags.pop();
    return this.failAtTag(tag, line);
  }

  private parseIf(line: number): Statement {
    const test = this.parseTuple({ conditional: false });
    this.tokens.expect("blockEnd");
    const body = this.parseStatements(["elif", "else", "endif"]);
    const end = this.tokens.next();
    if (end.value === "elif") return { type: "if", test, body, otherwise: [this.parseIf(end.line)], line };
    if (end.value === "else") return { type: "if", test, body, otherwise: this.parseBody("endif"), line };
    this.tokens.expect("blockEnd");
    return { type: "if", test, body, otherwise: [], line };
  }

  private parseFor(line: number): Statement {
    const target = this.parseTarget({ endNames: ["in"] });
    this.tokens.expect("name", "in");
    const iterable = this.parseTuple({ conditional: false, endNames: ["recursive"] });
    const test = this.tokens.skipIf("name", "if") ? this.parseExpression() : null;
    const recursive = this.tokens.skipIf("name", "recursive");
    this.tokens.expect("blockEnd");
    this.loopDepth++;
    const body = this.parseStatements(["endfor", "else"]);
    this.loopDepth--;
    let otherwise: Statement[] = [];
    if (this.tokens.next().value === "else") otherwise = this.parseBody("endfor");
    else this.tokens.expect("blockEnd");
    return { type: "for", target, iterable, test, recursive, body, otherwise, line };
  }

  private parseSet(line: number): Statement {
    const target = this.parseTarget({ namespace: true });
    if (this.tokens.skipIf("operator", "=")) {
      const value = this.parseTuple();
      this.tokens.expect("blockEnd");
      return { type: "set", target, value, line };
    }
    const filters = [];
    while (this.tokens.isOperator("|")) filters.push(this.parseFilterCall());
    return { type: "setBlock", target, filters, body: this.parseBody("endset"), line };
  }

  private parseWith(line: number): Statement {
    const bindings = [];
    while (!this.tokens.is("blockEnd")) {
      if (bindings.length > 0) this.tokens.expect("operator", ",");
      const target = this.parseTarget({ tuple: false });
      this.tokens.expect("operator", "=");
      bindings.push({ target, value: this.parseExpression() });
    }
    return { type: "with", bindings, body: this.parseBody("endwith"), line };
  }

  private parseParameters(): Parameter[] {
    this.tokens.expect("operator", "(");
    const parameters: Parameter[] = [];
    while (!this.tokens.isOperator(")")) {
      if (parameters.length > 0) this.tokens.expect("operator", ",");
      const { value: name, line } = this.tokens.expect("name");
      const fallback: Expression | null = this.tokens.skipIf("operator", "=") ? this.parseExpression() : null;
      if (!fallback && parameters.at(-1)?.default) syntaxError("non-default argument follows default argument", line);
      parameters.push({ name, default: fallback });
    }
    this.tokens.expect("operator", ")");
    return parameters;
  }

  private failAtTag(tag: string | null, line: number): never {
    const message = [tag === null ? "Unexpected end of template." : `Encountered unknown tag '${tag}'.`];
    const looking = this.awaited
      .at(-1)
      ?.map((name) => `'${name}'`)
      .join(" or ");
    if (looking && tag !== null && this.awaited.some((names) => names.includes(tag))) {
      message.push(`You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${looking}.`);
    } else if (looking) {
      message.push(`Jinja was looking for the following tags: ${looking}.`);
    }
    const innermost = this.openTags.at(-1);
    if (innermost !== undefined) message.push(`The innermost block that needs to be closed is '${innermost}'.`);
    return syntaxError(message.join(" "), line);
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
