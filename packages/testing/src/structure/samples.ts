import { existsSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { listPackages, ROOT } from "./workspace.js";

/** A program in a README. */
export interface Sample {
  /** `packages/lora/README.md:9`. */
  place: string;
  /** A name for its file: `lora-9`. */
  name: string;
  code: string;
  /** Compiled strictly from packed tarballs; all but those marked `untyped`. */
  typed: boolean;
  /** Run there too, in the root of a clone; all but those marked `not-run`, which need a network, a browser or an account. */
  run: boolean;
}

/**
 * The `js` and `ts` blocks of the READMEs of the repository and of every published package. A block is a whole program unless its fence says otherwise:
 * ```` ```ts not-run ````, ```` ```js untyped ````; a `fragment`, a part of one, is left out.
 */
export function readmeSamples(): Sample[] {
  const folders = [
    ROOT,
    ...listPackages()
      .filter(({ manifest }) => !manifest.private)
      .map(({ folder }) => folder),
  ];
  return folders.flatMap((folder) => {
    const path = join(folder, "README.md");
    if (!existsSync(path)) return [];
    const text = readFileSync(path, "utf8");
    return [...text.matchAll(/^```(?:js|ts)(.*)\n([\s\S]*?)^```$/gm)].flatMap(({ index, 1: marks, 2: code }) => {
      if (marks!.includes("fragment")) return [];
      const line = text.slice(0, index).split("\n").length;
      const name = `${relative(join(ROOT, "packages"), folder).replace(/^\.\.$/, "root")}-${line}`;
      const place = `${relative(ROOT, path)}:${line}`;
      return [{ place, name, code: code!, typed: !marks!.includes("untyped"), run: !marks!.includes("not-run") }];
    });
  });
}

/** What a sample prints, where every `console.log` in it says so in a comment; undefined otherwise. */
export function promisedLines(code: string): string[] | undefined {
  const promised = [...code.matchAll(/^console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]!);
  return promised.length > 0 && promised.length === code.split("console.log(").length - 1 ? promised : undefined;
}

/** The lines that were printed, cut where the promise ends with "…", which stands for whatever follows, such as a version. */
export function comparable(printed: string, promised: readonly string[]): string[] {
  const lines = printed.trimEnd().split("\n");
  return lines.map((line, index) => (promised[index]?.endsWith("…") ? `${line.slice(0, promised[index].length - 1)}…` : line));
}
