import { Undefined, type Value } from "./values.js";

/** The variables of a block, inside those of the blocks around it. */
export class Scope {
  private readonly variables = new Map<string, Value>();

  constructor(private readonly parent: Scope | null) {}

  get(name: string): Value {
    for (let scope: Scope | null = this; scope; scope = scope.parent) {
      const value = scope.variables.get(name);
      if (value !== undefined) return value;
    }
    return new Undefined(`'${name}' is undefined`);
  }

  set(name: string, value: Value): void {
    this.variables.set(name, value);
  }
}

/** Text as it is rendered, and the stretches of it that `generation` blocks made, in UTF-16 units. */
export class Output {
  text = "";
  readonly generations: { start: number; end: number }[] = [];
}
