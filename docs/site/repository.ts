import { existsSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { fileURLToPath } from "node:url";

/** Root folder of the repository, with a slash at its end. */
export const root: string = fileURLToPath(new URL("../../", import.meta.url));

/** Where the repository can be read. */
export const repositoryUrl = "https://github.com/kto-js/kto";

/** Where the site lies on its host; GitHub Pages serve a repository under its name. */
export const siteBase: string = process.env["DOCS_BASE"] ?? "/kto/";

/** Path in the repository of the file that a page of the site is made from; that of a package's guide is its README. */
export function sourceOf(page: string): string {
  const guide = /^packages\/([^/]+)\.md$/.exec(page);
  return guide && guide[1] !== "index" ? `packages/${guide[1]}/README.md` : `docs/${page}`; // other pages lie in docs/ under their address
}

/**
 * Where a link of a file of the repository leads on the site: to a page, where there is one of what it names, and else to the repository. Throws where there is nothing
 * of that name.
 *
 * @param source  path of the file in the repository: `packages/lora/README.md`
 */
export function siteLink(href: string, source: string): string {
  if (/^([a-z]+:|#|\/)/i.test(href)) return href;
  const [path, hash] = href.split("#", 2) as [string, string?];
  const target = posix.normalize(posix.join(posix.dirname(source), path)).replace(/\/$/, "");
  const anchor = hash === undefined ? "" : `#${hash}`;
  if (target.startsWith("docs/api/")) return source.startsWith("docs/api/") ? href : `/${target.slice("docs/".length)}${anchor}`; // made by typedoc
  const guide = /^packages\/([^/]+)(\/README\.md)?$/.exec(target);
  if (guide && existsSync(join(root, "packages", guide[1]!, "README.md"))) return `/packages/${guide[1]}.md${anchor}`;
  if (/^docs\/.*\.md$/.test(target)) return `/${target.slice("docs/".length)}${anchor}`; // VitePress looks whether there is such a page
  const stats = statSync(join(root, target), { throwIfNoEntry: false });
  if (!stats) throw new Error(`${source}: there is nothing at ${href}; expected a file or folder of the repository, got ${target}`);
  return `${repositoryUrl}/${stats.isDirectory() ? "tree" : "blob"}/main/${target}${anchor}`;
}

/** The folder that holds the pages. */
export const docsFolder: string = join(root, "docs");
