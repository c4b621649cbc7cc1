import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Links of pages to places that other pages of the site do not have: a page that there is not, or a heading that is none of it. Each once, with a page that has it. */
export function deadLinks(folder: string, base: string, pages: readonly string[]): string[] {
  const htmlOf = new Map(pages.map((page) => [page, readFileSync(join(folder, page), "utf8")]));
  const idsOf = new Map(
    Array.from(htmlOf, ([page, html]) => [page, new Set([...html.matchAll(/ id="([^"]+)"/g)].map((match) => decode(match[1]!)))]),
  );
  const dead = new Map<string, string[]>(); // pages by what is wrong
  const add = (page: string, problem: string): void => void dead.set(problem, [...(dead.get(problem) ?? []), page]);
  for (const [page, html] of htmlOf) {
    for (const [, raw] of new Set([...html.matchAll(/<a\b[^>]*? href="([^"]*)"/g)].map((match) => [match[0], match[1]!] as const))) {
      const url = new URL(decode(raw), `http://site${base}${page}`);
      if (url.host !== "site") continue;
      const path = decodeURIComponent(url.pathname);
      const target = !path.startsWith(base)
        ? undefined
        : path.endsWith("/")
          ? `${path.slice(base.length)}index.html`
          : path.slice(base.length);
      const ids = target === undefined ? undefined : idsOf.get(target);
      const hash = decodeURIComponent(url.hash.slice(1));
      if (!ids) add(page, `there is no page at ${raw}`);
      else if (hash !== "" && !ids.has(hash)) add(page, `${target} has nothing of the name ${hash}`);
    }
  }
  return Array.from(dead, ([problem, [page, ...others]]) => `${page}${others.length > 0 ? ` and ${others.length} more` : ""}: ${problem}`);
}

function decode(text: string): string {
  return text.replaceAll("&amp;", "&").replaceAll("&quot;", '"').replaceAll("&#39;", "'").replaceAll("&lt;", "<").replaceAll("&gt;", ">");
}
