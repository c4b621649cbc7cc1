import { equal } from "./operators.js";
import { typeError } from "./python-error.js";
import { Callable, PyObject, Undefined, type Value } from "./values.js";

/** The `loop` variable of a `for` block; `index` is the pass it is in, from 0. */
export class LoopState {
  index = 0;
  readonly value: PyObject;
  private changedArguments: Value[] | null = null;

  constructor(
    private readonly items: Value[],
    private readonly depth: number,
    recurse: ((items: Value) => Value) | undefined,
  ) {
    this.value = new PyObject(
      "LoopContext",
      (name) => this.attribute(name),
      (args) => {
        if (!recurse) typeError("The loop must have the 'recursive' marker to be called recursively.");
        return recurse(args[0] ?? typeError("loop() needs the items to loop over"));
      },
    );
  }

  private attribute(name: string): Value | undefined {
    const { items, index } = this;
    switch (name) {
      case "index":
        return BigInt(index + 1);
      case "index0":
        return BigInt(index);
      case "revindex":
        return BigInt(items.length - index);
      case "revindex0":
        return BigInt(items.length - index - 1);
      case "first":
        return index === 0;
      case "last":
        return index === items.length - 1;
      case "length":
        return BigInt(items.length);
      case "depth":
        return BigInt(this.depth + 1);
      case "depth0":
        return BigInt(this.depth);
      case "previtem":
        return index === 0 ? new Undefined("there is no previous item") : items[index - 1];
      case "nextitem":
        return index === items.length - 1 ? new Undefined("there is no next item") : items[index + 1];
      case "cycle":
        return new Callable(name, (args) => args[index % args.length] ?? typeError("no items for cycling given"));
      case "changed":
        return new Callable(name, (args) => {
          const same = this.changedArguments !== null && equal(this.changedArguments, args);
          this.changedArguments = args;
          return !same;
        });
    }
    return undefined;
  }
}
