import { mutateBytes } from "./mutate-bytes.js";
import type { Random } from "./random.js";

/** Pieces that mean something to readers of text. */
const blanks = ["\0", "\r", "\n", "\r\n", "\t", " ", "\u2028", "\ufeff", "\ud800", "😀", "é", "\\u", "\\ud83d", "\\", '"', "'", "`"];
const marks = "{ } [ ] ( ) {{ }} {% %} {# : , ; | = * **/ ? ! &a *a <<: ---".split(" ");
const words = "null true NaN Infinity -0 1e999 1e21 0.5 -1 9007199254740993 __proto__ constructor".split(" ");
const pieces = [...blanks, ...marks, ...words, "- ", "1".repeat(400)];

/** A few changes of a text: pieces put in, runs doubled, nested, cut or moved, numbers made extreme; now and then of its bytes. */
export function mutateText(input: Uint8Array, random: Random): Uint8Array {
  if (random.chance(0.15)) return mutateBytes(input, random);
  let text = new TextDecoder().decode(input);
  for (let left = 1 + random.length(8); left > 0; left--) text = changed(text, random);
  return new TextEncoder().encode(text);
}

function changed(text: string, random: Random): string {
  const at = random.below(text.length + 1);
  const end = Math.min(text.length, at + random.length(text.length));
  const put = (middle: string): string => text.slice(0, at) + middle + text.slice(end);
  switch (random.below(7)) {
    case 0:
      return text.slice(0, at) + random.pick(pieces) + text.slice(at);
    case 1:
      return put("");
    case 2:
      return put(random.pick(pieces));
    case 3:
      return put(text.slice(at, end).repeat(Math.min(2 + random.length(2000), Math.ceil(200_000 / (end - at + 1)))));
    case 4:
      return (
        text.slice(0, at) + random.pick(["[", "{", "(", '{"a":', "- ", "&a [", "not ", "-"]).repeat(random.length(30_000)) + text.slice(at)
      );
    case 5:
      return numberChanged(text, random);
    default: {
      const other = random.below(text.length + 1);
      return text.slice(0, other) + text.slice(at, end) + text.slice(other);
    }
  }
}

function numberChanged(text: string, random: Random): string {
  const numbers = [...text.matchAll(/-?\d+(\.\d+)?/g)];
  if (numbers.length === 0) return text;
  const { index, 0: number } = random.pick(numbers);
  const other = random.pick(["-1", "0", "0.5", "1e21", "1e999", "2147483648", "9007199254740993", "-0.0", "1e9", '"1"', "null", "[1]"]);
  return text.slice(0, index) + other + text.slice(index + number.length);
}
