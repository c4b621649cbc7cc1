import { SourceError } from "../errors.js";

/** A URL made complete: a relative one is resolved against the page or the worker's script. Throws SourceError where there is neither. */
export function absoluteUrl(operation: string, url: string | URL): URL {
  try {
    return new URL(url, pageUrl());
  } catch (cause) {
    const given = JSON.stringify(String(url));
    throw new SourceError(
      {
        operation,
        problem: "there is no page that the URL could be relative to",
        expected: "a complete URL",
        got: given,
        advice: "begin it with https://, or read a folder with fileDirectory of @kto/core/node",
      },
      { source: String(url), cause },
    );
  }
}

/** What relative URLs of this page or worker begin with; undefined in Node. */
function pageUrl(): string | undefined {
  const { document, location } = globalThis as { document?: Document; location?: Location };
  if (document !== undefined) return document.baseURI;
  return location?.protocol === "blob:" ? location.origin : location?.href; // a bundler's worker is a blob, which is no base
}
