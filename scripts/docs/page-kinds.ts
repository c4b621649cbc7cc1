/** Folders whose pages are one template filled in: what a stranger sees of one, he sees of all. */
const templates = ["api", "decisions", "packages", "troubleshooting", "wgsl"];

/** How closely a page is looked at in the browser. */
export type Look = "closely" | "briefly";

/** Pages that are looked at closely: all that are written one by one, and of each template the first two. */
export function lookOf(pages: readonly string[]): Map<string, Look> {
  const seen = new Map<string, number>();
  return new Map(
    pages.map((page) => {
      const folder = page.split("/")[0]!;
      if (!templates.includes(folder)) return [page, "closely"] as const;
      const count = (seen.get(folder) ?? 0) + 1;
      seen.set(folder, count);
      return [page, count <= 2 ? "closely" : "briefly"] as const;
    }),
  );
}
