/** A regular expression, parsed. Groups say nothing here: only whether a text matches is asked. */
export type RegexNode =
  | { kind: "one"; accepts(character: string): boolean }
  | { kind: "place"; holds(text: string, at: number): boolean }
  | { kind: "all"; items: readonly RegexNode[] }
  | { kind: "any"; items: readonly RegexNode[] }
  | { kind: "repeat"; item: RegexNode; least: number; most: number }
  | { kind: "look"; item: RegexNode; ahead: boolean; negative: boolean };

/** A step of a program: where to go on, by index. */
type Step =
  | { kind: "one"; accepts(character: string): boolean }
  | { kind: "place"; holds(text: string, at: number): boolean }
  | { kind: "look"; program: readonly Step[]; ahead: boolean; negative: boolean }
  | { kind: "fork"; to: readonly number[] }
  | { kind: "end" };

/** Steps of a program: repeats are written out, and `((a{99}){99}){99}` is a million. The longest expressions in use have some thousand. */
const mostSteps = 20_000;

/** Work of one expression for all texts: one that lists 200 layers by their paths does a tenth of it in a model of 400 modules. */
const mostWork = 4_000_000;

/** Why an expression is refused, for whoever knows where it came from. */
export class RegexTooLarge extends Error {}

/**
 * True if the whole text matches. All ways are followed side by side, a letter at a time, so that no expression takes longer than its steps times the letters:
 * nothing is tried again. Throws RegexTooLarge for an expression whose repeats are a program of more than 20,000 steps, or that would work beyond all measure.
 */
export function compileRegex(node: RegexNode): (text: string) => boolean {
  const program = new ProgramWriter().write(node);
  const work = { left: mostWork };
  return (text) => ends(program, text, 0, work).has(text.length);
}

class ProgramWriter {
  #numSteps = 0;

  write(node: RegexNode): Step[] {
    const steps: Step[] = [];
    this.#node(node, steps);
    this.#push(steps, { kind: "end" });
    return steps;
  }

  #push(steps: Step[], step: Step): number {
    if (++this.#numSteps > mostSteps) throw new RegexTooLarge(`its repeats are more than ${mostSteps} steps`);
    return steps.push(step) - 1;
  }

  /** Every step goes on at the next one, but for forks. */
  #node(node: RegexNode, steps: Step[]): void {
    switch (node.kind) {
      case "one":
      case "place":
        this.#push(steps, node);
        return;
      case "look":
        this.#push(steps, { kind: "look", program: this.write(node.item), ahead: node.ahead, negative: node.negative });
        return;
      case "all":
        for (const item of node.items) this.#node(item, steps);
        return;
      case "any":
        this.#anyOf(node.items, steps);
        return;
      case "repeat":
        this.#repeat(node, steps);
    }
  }

  #anyOf(items: readonly RegexNode[], steps: Step[]): void {
    const fork = this.#push(steps, { kind: "fork", to: [] });
    const starts: number[] = [];
    const exits: number[] = [];
    for (const item of items) {
      starts.push(steps.length);
      this.#node(item, steps);
      exits.push(this.#push(steps, { kind: "fork", to: [] }));
    }
    steps[fork] = { kind: "fork", to: starts };
    for (const exit of exits) steps[exit] = { kind: "fork", to: [steps.length] };
  }

  #repeat({ item, least, most }: RegexNode & { kind: "repeat" }, steps: Step[]): void {
    for (let count = 0; count < least; count++) this.#node(item, steps);
    if (most === Infinity) {
      const fork = this.#push(steps, { kind: "fork", to: [] });
      this.#node(item, steps);
      this.#push(steps, { kind: "fork", to: [fork] });
      steps[fork] = { kind: "fork", to: [fork + 1, steps.length] };
      return;
    }
    const forks: number[] = [];
    for (let count = least; count < most; count++) {
      forks.push(this.#push(steps, { kind: "fork", to: [] }));
      this.#node(item, steps);
    }
    for (const fork of forks) steps[fork] = { kind: "fork", to: [fork + 1, steps.length] };
  }
}

/** Where a match that starts at `start` can end. */
function ends(program: readonly Step[], text: string, start: number, work: { left: number }): Set<number> {
  const found = new Set<number>();
  let active = [0];
  for (let at = start; active.length > 0; at++) {
    const seen = new Set<number>();
    const next: number[] = [];
    for (let index = active.pop(); index !== undefined; index = active.pop()) {
      if (seen.has(index)) continue;
      seen.add(index);
      if (--work.left < 0) throw new RegexTooLarge("its lookarounds work beyond all measure");
      const step = program[index]!;
      if (step.kind === "end") found.add(at);
      else if (step.kind === "fork") for (const to of step.to) active.push(to);
      else if (step.kind === "one") {
        if (at < text.length && step.accepts(text[at]!)) next.push(index + 1);
      } else if (holds(step, text, at, work)) active.push(index + 1);
    }
    active = next;
  }
  return found;
}

function holds(step: Step & { kind: "place" | "look" }, text: string, at: number, work: { left: number }): boolean {
  if (step.kind === "place") return step.holds(text, at);
  const { program, ahead, negative } = step;
  if (ahead) return ends(program, text, at, work).size > 0 !== negative;
  for (let start = at; start >= 0; start--) if (ends(program, text, start, work).has(at)) return !negative;
  return negative;
}
