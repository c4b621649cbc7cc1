import { spend, spendItems } from "./budget.js";
import { getAttribute, getItem, getSlice } from "./attributes.js";
import type { Arguments, Expression } from "./ast.js";
import { callValue, type Runtime } from "./interpreter.js";
import { binary, compare, dictOf } from "./operators.js";
import { toText } from "./printing.js";
import { typeError } from "./python-error.js";
import { joinTexts } from "./string-methods.js";
import type { Scope } from "./scope.js";
import { isNumber, iterate, truthy, Tuple, typeName, Undefined, type Value } from "./values.js";

/** The value of an expression. Throws a `PythonError` where Python would raise. */
export function evaluate(node: Expression, scope: Scope, runtime: Runtime): Value {
  spend(1);
  const value = (child: Expression): Value => evaluate(child, scope, runtime);
  switch (node.type) {
    case "constant":
      return node.value;
    case "name":
      return scope.get(node.name);
    case "list":
      spendItems(node.items.length);
      return node.items.map(value);
    case "tuple":
      spendItems(node.items.length);
      return new Tuple(node.items.map(value));
    case "dict":
      return dictOf(node.entries.map((entry) => [value(entry.key), value(entry.value)]));
    case "attribute":
      return getAttribute(value(node.object), node.name);
    case "item":
      return getItem(value(node.object), value(node.index));
    case "slice": {
      const [start, stop, step] = [node.start, node.stop, node.step].map((bound) => (bound ? value(bound) : null));
      return getSlice(value(node.object), start!, stop!, step!);
    }
    case "call": {
      const callee = value(node.callee);
      const { args, keywords } = evaluateArguments(node.args, scope, runtime);
      return callValue(callee, args, keywords);
    }
    case "filter": {
      const input = value(node.input);
      const { args, keywords } = evaluateArguments(node.args, scope, runtime);
      return runtime.applyFilter(node.name, input, args, keywords);
    }
    case "test": {
      const input = value(node.input);
      const { args, keywords } = evaluateArguments(node.args, scope, runtime);
      return runtime.applyTest(node.name, input, args, keywords);
    }
    case "not":
      return !truthy(value(node.operand));
    case "negate":
    case "plus":
      return signed(node.type, value(node.operand));
    case "and": {
      const left = value(node.left);
      return truthy(left) ? value(node.right) : left;
    }
    case "or": {
      const left = value(node.left);
      return truthy(left) ? left : value(node.right);
    }
    case "binary":
      return binary(node.operator, value(node.left), value(node.right));
    case "concat":
      return joinTexts(
        node.parts.map((part) => toText(value(part))),
        "",
      );
    case "compare": {
      let left = value(node.first);
      for (const { operator, operand } of node.rest) {
        const right = value(operand);
        if (!compare(operator, left, right)) return false;
        left = right;
      }
      return true;
    }
    case "conditional":
      if (truthy(value(node.test))) return value(node.then);
      if (node.otherwise) return value(node.otherwise);
      return new Undefined(`the inline if-expression on line ${node.line} evaluated to false and no else section was defined.`);
  }
}

/** The arguments of a call, unpacked. Throws Python's TypeError. */
export function evaluateArguments(call: Arguments, scope: Scope, runtime: Runtime): { args: Value[]; keywords: Map<string, Value> } {
  const args = call.positional.map((argument) => evaluate(argument, scope, runtime));
  const keywords = new Map(call.keyword.map(({ name, value }) => [name, evaluate(value, scope, runtime)]));
  if (call.positionalRest) {
    const rest = iterate(evaluate(call.positionalRest, scope, runtime));
    spendItems(rest.length);
    for (const item of rest) args.push(item);
  }
  if (call.keywordRest) {
    const rest = evaluate(call.keywordRest, scope, runtime);
    if (!(rest instanceof Map)) typeError(`argument after ** must be a mapping, not ${typeName(rest)}`);
    spendItems(rest.size, 48);
    for (const [key, item] of rest) keywords.set(toText(key), item);
  }
  return { args, keywords };
}

function signed(sign: "negate" | "plus", value: Value): Value {
  if (value instanceof Undefined) value.fail();
  const symbol = sign === "negate" ? "-" : "+";
  if (!isNumber(value)) typeError(`bad operand type for unary ${symbol}: '${typeName(value)}'`);
  const number = typeof value === "boolean" ? BigInt(value) : value;
  return sign === "negate" ? -number : number;
}
