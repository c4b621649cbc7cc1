import type { Statement } from "./ast.js";
import { FILTERS } from "./filters.js";
import { templateGlobals } from "./globals.js";
import { Interpreter } from "./interpreter.js";
import { parseTemplate } from "./tree.js";
import { PythonError } from "./python-error.js";
import { Output, Scope } from "./scope.js";
import { TESTS } from "./tests.js";
import { fromJs } from "./values.js";

const KNOWN: { filters: Set<string>; tests: Set<string> } = { filters: new Set(FILTERS.keys()), tests: new Set(TESTS.keys()) };

/** A compiled template: render it as often as you like. Both steps throw a `PythonError`. */
export class Template {
  private readonly statements: Statement[];

  constructor(readonly source: string) {
    this.statements = parseTemplate(source, KNOWN);
  }

  /** Renders with JavaScript values as variables; those that are `undefined` stay undefined in the template. */
  render(variables: Readonly<Record<string, unknown>>, now: () => Date): Output {
    const globals = new Scope(null);
    const interpreter = new Interpreter();
    const out = new Output();
    try {
      for (const [name, value] of templateGlobals(now)) globals.set(name, value);
      for (const [name, value] of Object.entries(variables)) if (value !== undefined) globals.set(name, fromJs(value));
      interpreter.run(this.statements, new Scope(globals), out);
    } catch (error) {
      if (error instanceof RangeError)
        throw new PythonError("RecursionError", `the template or its variables nest too deeply (${error.message})`, interpreter.line);
      if (error instanceof PythonError) error.line ??= interpreter.line;
      throw error;
    }
    return out;
  }
}
