import { spend, spendItems, spendText } from "./budget.js";
import { Undefined, type Value } from "./values.js";

/** Bytes of an empty scope: a macro that is kept keeps those it was made in. */
const SCOPE_BYTES = 200;

/** The variables of a block, inside those of the blocks around it. */
export class Scope {
  constructor(
    private readonly parent: Scope | null,
    private readonly variables: Map<string, Value> = new Map<string, Value>(),
  ) {
    spendItems(1, SCOPE_BYTES);
  }

  get(name: string): Value {
    const value = this.find(name);
    return value === undefined ? new Undefined(`'${name}' is undefined`) : value;
  }

  private find(name: string): Value | undefined {
    const value = this.variables.get(name);
    return value === undefined ? this.parent?.find(name) : value;
  }

  set(name: string, value: Value): void {
    this.variables.set(name, value);
  }
}

/** Text as it is rendered, and the stretches of it that `generation` blocks made, in UTF-16 units. */
export class Output {
  text = "";
  readonly generations: { start: number; end: number }[] = [];

  add(text: string): void {
    spend(2);
    spendText(text.length);
    this.text += text;
  }
}
