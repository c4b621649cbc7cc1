import { Undefined, type Value } from "./values.js";

/** The variables of a block, inside those of the blocks around it. */
export class Scope {
  private readonly variables = new Map<string, Value>();

  constructor(private readonly parent: Scope | null) {}

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
}
