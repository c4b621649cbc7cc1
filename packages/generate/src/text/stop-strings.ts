/** Looks for stop strings in text that comes in pieces: they are not shown, and what may be the beginning of one is held back until it is known. */
export class StopStrings {
  readonly #stops: readonly string[];
  #held = "";
  /** The stop string that was found. */
  found: string | undefined;

  constructor(stops: readonly string[]) {
    this.#stops = stops;
  }

  /** What of the text so far can be shown; once one is found, only what stands before it. */
  push(text: string): string {
    if (this.found !== undefined) return "";
    const all = this.#held + text;
    const first = this.#first(all);
    if (first) {
      this.found = first.stop;
      this.#held = "";
      return all.slice(0, first.at);
    }
    const held = Math.max(0, ...this.#stops.map((stop) => overlap(all, stop)));
    this.#held = all.slice(all.length - held);
    return all.slice(0, all.length - held);
  }

  /** What was held back, when nothing more comes. */
  end(): string {
    const held = this.#held;
    this.#held = "";
    return held;
  }

  #first(text: string): { stop: string; at: number } | undefined {
    const places = this.#stops.map((stop) => ({ stop, at: text.indexOf(stop) })).filter(({ at }) => at >= 0);
    return places.reduce<{ stop: string; at: number } | undefined>(
      (best, place) => (best && best.at <= place.at ? best : place),
      undefined,
    );
  }
}

/** Letters at the end of a text with which a stop string begins; less than all of it. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(text.length, stop.length - 1); length > 0; length--) if (text.endsWith(stop.slice(0, length))) return length;
  return 0;
}
