/** One step of a pattern: a letter that must come, or a way to go on elsewhere in the pattern without one. */
type Step = { takes(letter: string): boolean } | { either: readonly number[] };

/**
 * A file pattern as a test of paths: `*` and `?` stay within a name, `**` crosses folders, `[0-9]` and `[!a]` are sets, `{a,b}` either. All places of the
 * pattern that a path may have reached are followed at once, so that a path takes time in proportion to both lengths, whatever the pattern is.
 */
export function pathPattern(pattern: string): (path: string) => boolean {
  const steps = stepsOf(pattern.replace(/^\.\//, ""));
  const reach = new Reach(steps);
  return (path) => {
    let places = reach.from([0]);
    for (const letter of path) {
      const next: number[] = [];
      for (const place of places) {
        const step = steps[place];
        if (step !== undefined && "takes" in step && step.takes(letter)) next.push(place + 1);
      }
      if (next.length === 0) return false;
      places = reach.from(next);
    }
    return places.includes(steps.length);
  };
}

/** True for a path that stands for itself and no other. */
export function isLiteralPath(pattern: string): boolean {
  return !/[*?[{]/.test(pattern);
}

/** The places that are reached from others without a letter. */
class Reach {
  readonly #steps: readonly Step[];
  /** The round in which each place was reached last. */
  readonly #seen: Uint32Array;
  #round = 0;

  constructor(steps: readonly Step[]) {
    this.#steps = steps;
    this.#seen = new Uint32Array(steps.length + 1);
  }

  from(places: readonly number[]): number[] {
    this.#round += 1;
    const reached: number[] = [];
    const open = places.toReversed();
    while (open.length > 0) {
      const place = open.pop()!;
      if (this.#seen[place] === this.#round) continue;
      this.#seen[place] = this.#round;
      const step = this.#steps[place];
      if (step !== undefined && "either" in step) open.push(...step.either);
      else reached.push(place);
    }
    return reached;
  }
}

const any = (): boolean => true;
const inName = (letter: string): boolean => letter !== "/";

function stepsOf(pattern: string): Step[] {
  const steps: Step[] = [];
  for (const [part] of pattern.matchAll(/\*\*\/|\*\*|\*|\?|\[!?\]?[^\]]*\]|\{[^{}]*\}|[^]/gu)) {
    const at = steps.length;
    if (part === "**/") {
      const loop: Step[] = [{ either: [at + 2, at + 4] }, { takes: any }, { either: [at + 1] }];
      steps.push({ either: [at + 1, at + 5] }, ...loop, { takes: (letter) => letter === "/" });
    } else if (part === "**") steps.push({ either: [at + 1, at + 3] }, { takes: any }, { either: [at] });
    else if (part === "*") steps.push({ either: [at + 1, at + 3] }, { takes: inName }, { either: [at] });
    else if (part === "?") steps.push({ takes: inName });
    else if (part.startsWith("[") && part.length > 1) steps.push({ takes: setOf(part) });
    else if (part.startsWith("{") && part.length > 1) steps.push(...alternatives(part.slice(1, -1).split(","), at));
    else steps.push({ takes: (letter) => letter === part });
  }
  return steps;
}

/** The letters of a set `[a-z_]` or `[!a-z_]`; a range that runs backwards has none. */
function setOf(part: string): (letter: string) => boolean {
  const negated = part[1] === "!";
  const letters = Array.from(part.slice(negated ? 2 : 1, -1));
  const single = new Set<string>();
  const ranges: [number, number][] = [];
  for (let index = 0; index < letters.length; index++) {
    if (letters[index + 1] === "-" && index + 2 < letters.length) {
      ranges.push([letters[index]!.codePointAt(0)!, letters[index + 2]!.codePointAt(0)!]);
      index += 2;
    } else single.add(letters[index]!);
  }
  const has = (letter: string): boolean => {
    const code = letter.codePointAt(0)!;
    return single.has(letter) || ranges.some(([first, last]) => first <= code && code <= last);
  };
  return (letter) => letter !== "/" && has(letter) !== negated;
}

/** One of several texts, the first step of which is at `at`. */
function alternatives(texts: readonly string[], at: number): Step[] {
  const steps: Step[] = [{ either: [] }];
  const starts: number[] = [];
  const ends: number[] = [];
  for (const text of texts) {
    starts.push(at + steps.length);
    for (const letter of text) steps.push({ takes: (other) => other === letter });
    ends.push(steps.length);
    steps.push({ either: [] });
  }
  steps[0] = { either: starts };
  for (const end of ends) steps[end] = { either: [at + steps.length] };
  return steps;
}
