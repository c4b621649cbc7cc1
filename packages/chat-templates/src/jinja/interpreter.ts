import type { Arguments, FilterCall, MacroBody, Statement, Target } from "./ast.js";
import { spend, spendItems } from "./budget.js";
import { evaluate, evaluateArguments } from "./evaluate.js";
import { FILTERS } from "./filters.js";
import { LoopState } from "./loop.js";
import { toText } from "./printing.js";
import { PythonError, typeError } from "./python-error.js";
import { Output, Scope } from "./scope.js";
import { TAKES_OPERAND, TESTS } from "./tests.js";
import { unpacked } from "./unpack.js";
import { Callable, iterate, type Keywords, Namespace, truthy, Tuple, typeName, Undefined, type Value } from "./values.js";

/** What filters and expressions may ask of the interpreter. */
export interface Runtime {
  applyFilter(name: string, input: Value, args: Value[], keywords: Keywords): Value;
  applyTest(name: string, input: Value, args: Value[], keywords: Keywords): boolean;
}

/** How a list of statements ended: at its end, or at a loop control. */
type Outcome = "done" | "break" | "continue";

/** Macros and recursive loops inside each other; Python's stack ends at some 200. */
const MAX_CALLS = 400;

/** What binding the arguments of a filter takes. */
const FILTER_STEPS = 8;
/** What binding the arguments of a macro takes. */
const CALL_STEPS = 30;

/** Runs a parsed template. `line` is the statement it is at, for messages. */
export class Interpreter implements Runtime {
  line = 1;
  private depth = 0;

  applyFilter(name: string, input: Value, args: Value[], keywords: Keywords): Value {
    spend(FILTER_STEPS);
    const filter = FILTERS.get(name);
    if (!filter) throw new PythonError("TemplateRuntimeError", `No filter named '${name}'.`);
    return filter(input, args, keywords, this);
  }

  applyTest(name: string, input: Value, args: Value[]): boolean {
    spend(1);
    const test = TESTS.get(name);
    if (!test) throw new PythonError("TemplateRuntimeError", `No test named '${name}'.`);
    const limit = TAKES_OPERAND.has(name) ? 1 : 0;
    if (args.length > limit)
      typeError(`test_${name}() takes ${limit + 1} positional argument${limit === 0 ? "" : "s"} but ${args.length + 1} were given`);
    return test(input, args);
  }

  /** Runs statements in order, appending to `out`. */
  run(statements: Statement[], scope: Scope, out: Output): Outcome {
    for (const statement of statements) {
      const outcome = this.runOne(statement, scope, out);
      if (outcome !== "done") return outcome;
    }
    return "done";
  }

  private runOne(statement: Statement, scope: Scope, out: Output): Outcome {
    spend(1);
    this.line = statement.line;
    switch (statement.type) {
      case "text":
        out.add(statement.text);
        return "done";
      case "output":
        out.add(toText(evaluate(statement.value, scope, this)));
        return "done";
      case "if":
        return this.run(truthy(evaluate(statement.test, scope, this)) ? statement.body : statement.otherwise, scope, out);
      case "for":
        return this.runFor(statement, evaluate(statement.iterable, scope, this), 0, scope, out);
      case "set":
        assign(statement.target, evaluate(statement.value, scope, this), scope);
        return "done";
      case "setBlock":
        assign(statement.target, this.filtered(this.capture(statement.body, new Scope(scope)), statement.filters, scope), scope);
        return "done";
      case "with": {
        const inner = new Scope(scope);
        for (const { target, value } of statement.bindings) assign(target, evaluate(value, scope, this), inner);
        return this.run(statement.body, inner, out);
      }
      case "filterBlock":
        out.add(onlyText(this.filtered(this.capture(statement.body, new Scope(scope)), statement.filters, scope)));
        return "done";
      case "macro":
        scope.set(statement.macro.name ?? "", this.macro(statement.macro, scope));
        return "done";
      case "callBlock": {
        const callee = evaluate(statement.call.callee, scope, this);
        const { args, keywords } = evaluateArguments(statement.call.args, scope, this);
        const caller = this.macro(statement.caller, scope, "caller");
        out.add(toText(callValue(callee, args, new Map([...keywords, ["caller", caller]]))));
        return "done";
      }
      case "generation": {
        const start = out.text.length;
        const outcome = this.run(statement.body, new Scope(scope), out);
        out.generations.push({ start, end: out.text.length });
        return outcome;
      }
      case "break":
      case "continue":
        return statement.type;
    }
  }

  private capture(body: Statement[], scope: Scope): string {
    const out = new Output();
    this.run(body, scope, out);
    return out.text;
  }

  /** The text of what a macro or a recursive loop runs. Throws Python's RecursionError. */
  private called(run: (out: Output) => void): string {
    spend(CALL_STEPS);
    if (++this.depth > MAX_CALLS) throw new PythonError("RecursionError", "maximum recursion depth exceeded");
    const out = new Output();
    run(out);
    this.depth--;
    return out.text;
  }

  private filtered(text: string, filters: FilterCall[], scope: Scope): Value {
    return filters.reduce<Value>((value, { name, args }) => this.applyFilterCall(name, value, args, scope), text);
  }

  private applyFilterCall(name: string, input: Value, call: Arguments, scope: Scope): Value {
    const { args, keywords } = evaluateArguments(call, scope, this);
    return this.applyFilter(name, input, args, keywords);
  }

  /** `else` runs when no pass through the body reached its end, as in Jinja. */
  private runFor(node: Statement & { type: "for" }, iterable: Value, depth: number, scope: Scope, out: Output): Outcome {
    let items = iterate(iterable);
    const { test } = node;
    if (test) {
      spendItems(items.length);
      items = items.filter((item) => {
        const inner = new Scope(scope);
        assign(node.target, item, inner);
        return truthy(evaluate(test, inner, this));
      });
    }
    const recurse = node.recursive
      ? (inner: Value): Value => this.called((nested) => void this.runFor(node, inner, depth + 1, scope, nested))
      : undefined;
    const loop = new LoopState(items, depth, recurse);
    let completed = false;
    for (let index = 0; index < items.length; index++) {
      const inner = new Scope(scope);
      loop.index = index;
      inner.set("loop", loop.value);
      assign(node.target, items[index]!, inner);
      const outcome = this.run(node.body, inner, out);
      if (outcome === "break") break;
      if (outcome === "done") completed = true;
    }
    return completed ? "done" : this.run(node.otherwise, new Scope(scope), out);
  }

  private macro(macro: MacroBody, scope: Scope, shownName = macro.name ?? "caller"): Callable {
    return new Callable(shownName, (args, keywords) => {
      const inner = new Scope(scope);
      return this.called((out) => {
        this.bindMacro(macro, args, keywords, inner);
        this.run(macro.body, inner, out);
      });
    });
  }

  private bindMacro({ name, parameters, uses }: MacroBody, args: Value[], keywords: Keywords, scope: Scope): void {
    const shown = name === null ? "None" : `'${name}'`;
    const rest = new Map(keywords);
    const unset = parameters.filter((parameter, index) => {
      const given = index < args.length ? args[index] : rest.get(parameter.name);
      if (index >= args.length) rest.delete(parameter.name);
      scope.set(parameter.name, given === undefined ? new Undefined(`parameter '${parameter.name}' was not provided`) : given);
      return given === undefined;
    });
    if (uses.caller) scope.set("caller", rest.get("caller") ?? new Undefined("No caller defined"));
    rest.delete("caller");
    spendItems(args.length + keywords.size);
    if (uses.kwargs) scope.set("kwargs", new Map(rest));
    else if (rest.size > 0) typeError(`macro ${shown} takes no keyword argument '${[...rest.keys()][0]}'`);
    if (uses.varargs) scope.set("varargs", new Tuple(args.slice(parameters.length)));
    else if (args.length > parameters.length) typeError(`macro ${shown} takes not more than ${parameters.length} argument(s)`);
    for (const parameter of unset) if (parameter.default) scope.set(parameter.name, evaluate(parameter.default, scope, this));
  }
}

/** What a `filter` block may end as. Throws Python's TypeError. */
function onlyText(value: Value): string {
  return typeof value === "string" ? value : typeError(`sequence item 0: expected str instance, ${typeName(value)} found`);
}

/** Binds a target of `set`, `for` or `with`. Throws Python's TypeError and ValueError, and Jinja's for attributes. */
export function assign(target: Target, value: Value, scope: Scope): void {
  if (target.type === "targetName") {
    scope.set(target.name, value);
  } else if (target.type === "targetAttribute") {
    const object = scope.get(target.name);
    if (!(object instanceof Namespace)) throw new PythonError("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
    object.set(target.attribute, value);
  } else {
    const items = unpacked(value, target.items.length);
    for (const [index, part] of target.items.entries()) assign(part, items[index]!, scope);
  }
}

/** Calls a function, macro or callable object; throws Python's TypeError for anything else. */
export function callValue(callee: Value, args: Value[], keywords: Keywords): Value {
  if (callee instanceof Undefined) callee.fail();
  const call = callee instanceof Object && "call" in callee ? callee.call : undefined;
  if (!call) typeError(`'${typeName(callee)}' object is not callable`);
  return call(args, keywords);
}
