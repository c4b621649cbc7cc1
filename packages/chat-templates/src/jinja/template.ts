import type { Statement } from "./ast.js";
import { type RenderLimits, within } from "./budget.js";
import { FILTERS } from "./filters.js";
import { templateGlobals } from "./globals.js";
import { Interpreter } from "./interpreter.js";
import { guardStack } from "./nesting.js";
import { PythonError } from "./python-error.js";
import { Output, Scope } from "./scope.js";
import { TESTS } from "./tests.js";
import { parseTemplate } from "./tree.js";
import type { Value } from "./values.js";

const KNOWN: { filters: Set<string>; tests: Set<string> } = { filters: new Set(FILTERS.keys()), tests: new Set(TESTS.keys()) };
/** The longest templates of models have some 20,000 letters. One of this length takes at most half a second to compile. */
const MAX_LENGTH = 2 ** 16;

/** A compiled template: render it as often as you like. Both steps throw a `PythonError`. */
export class Template {
  private readonly statements: Statement[];

  constructor(readonly source: string) {
    if (source.length > MAX_LENGTH) {
      throw new PythonError("MemoryError", `the template is too long; expected at most ${MAX_LENGTH} letters, got ${source.length}`);
    }
    this.statements = guardStack(
      () => undefined,
      () => parseTemplate(source, KNOWN),
    );
  }

  /** Renders with variables and the globals of every template, within limits. */
  render(variables: ReadonlyMap<string, Value>, now: () => Date, limits: RenderLimits): Output {
    const interpreter = new Interpreter();
    const run = (): Output => {
      const globals = new Scope(null, new Map([...templateGlobals(now), ...variables]));
      const out = new Output();
      interpreter.run(this.statements, new Scope(globals), out);
      return out;
    };
    try {
      return guardStack(
        () => interpreter.line,
        () => within(limits, run),
      );
    } catch (error) {
      if (error instanceof PythonError) error.line ??= interpreter.line;
      throw error;
    }
  }
}
