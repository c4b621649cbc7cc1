import { nearestName } from "@kto/core";

/** The name that a misspelt one of a command line or config most likely means; two wrong letters are forgiven in a word of any length. */
export function nearest(word: string, names: Iterable<string>): string | undefined {
  return nearestName(word, names, 2);
}
