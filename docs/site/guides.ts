import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { entriesOf, listPackages, type Package } from "../../packages/testing/src/structure/workspace.js";

/** A page that is made for the name in its address. */
export interface MadePage {
  params: { name: string; title?: string };
  content: string;
}

/** Packages that are published, with the name of their folder. */
export function publishedPackages(): (Package & { short: string })[] {
  return listPackages()
    .filter(({ manifest }) => !manifest.private)
    .map((pack) => ({ ...pack, short: basename(pack.folder) }))
    .sort((a, b) => (a.short < b.short ? -1 : 1));
}

/** The guide of each published package: its README, and links to the API of its entries, behind what it is. */
export function packageGuides(): MadePage[] {
  return publishedPackages().map((pack) => {
    const readme = readFileSync(join(pack.folder, "README.md"), "utf8");
    const [title, ...rest] = readme.split("\n## ");
    const api = entriesOf(pack).map(({ specifier }) => `[\`${specifier}\`](../../docs/api/${specifier.replaceAll("/", ".")}.md)`);
    const [start, ...more] = title!.split("\n```sh\n");
    const content = [`${start}\nEverything it exports, with types: ${api.join(", ")}.\n`, ...more].join("\n```sh\n");
    return { params: { name: pack.short, title: pack.name }, content: [content, ...rest].join("\n## ") };
  });
}
