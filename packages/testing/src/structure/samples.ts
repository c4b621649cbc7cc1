import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { listPackages, ROOT } from "./workspace.js";

/** A program in a README or on a page. */
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
 * The `js` and `ts` blocks of the READMEs of the repository and of every published package, and of the pages of the site. A block is a whole program unless its
 * fence says otherwise: ```` ```ts not-run ````, ```` ```js untyped ````; a `fragment`, a part of one, is left out.
 */
export function documentedSamples(): Sample[] {
  return [...readmes(), ...sitePages()].flatMap((path) => {
    const text = readFileSync(path, "utf8");
    return [...text.matchAll(/^```(?:js|ts)\b(.*)\n([\s\S]*?)^```$/gm)].flatMap(({ index, 1: marks, 2: code }) => {
      if (marks!.includes("fragment")) return [];
      const line = text.slice(0, index).split("\n").length;
      const place = relative(ROOT, path);
      const name = `${
        place
          .replace(/^packages\//, "")
          .replace(/\/?(README)?\.md$/, "")
          .replaceAll("/", "-") || "root"
      }-${line}`;
      return [{ place: `${place}:${line}`, name, code: code!, typed: !marks!.includes("untyped"), run: !marks!.includes("not-run") }];
    });
  });
}

function readmes(): string[] {
  const published = listPackages().filter(({ manifest }) => !manifest.private);
  return [ROOT, ...published.map(({ folder }) => folder)].map((folder) => join(folder, "README.md")).filter((path) => existsSync(path));
}

/** Pages that are written by hand; those for contributors show parts of the code itself. */
export function sitePages(): string[] {
  const folder = join(ROOT, "docs");
  const paths = readdirSync(folder, { recursive: true, encoding: "utf8" });
  return paths
    .filter((path) => path.endsWith(".md") && !/(^|\/)(node_modules|\.vitepress|api|decisions)\/|\[|^style\.md$/.test(path))
    .sort()
    .map((path) => join(folder, path));
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
