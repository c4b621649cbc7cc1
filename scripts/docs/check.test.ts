import { expect, it } from "vitest";
import { lookOf } from "./page-kinds.js";
import { markupFaults } from "./page-markup.js";

const page = (body: string): string => `<html lang="en"><head><title>T</title></head><body><h1 id="t">T</h1>${body}</body></html>`;

it("finds nothing in a page that is well made", () => {
  expect(
    markupFaults(
      page(
        '<a id="x"></a><h2 id="x">X</h2><a href="#x">X</a><img src="a.png" alt=""><a class="header-anchor" href="#x" aria-label="X">​</a>',
      ),
    ),
  ).toEqual([]);
});

it.each([
  [page("<h1>U</h1>"), "it has 2 first headings"],
  [page('<p id="t"></p>'), "two elements are called t"],
  [page('<img src="a.png">'), 'a picture has no text: <img src="a.png">'],
  [page('<a href="/b"><svg></svg></a>'), 'a link has no name: <a href="/b"><svg></svg></a>'],
  [page("").replace(' lang="en"', ""), "it has no language"],
  [page("").replace("<title>T</title>", ""), "it has no title"],
])("%s: %s", (html, fault) => expect(markupFaults(html)).toEqual([fault]));

it("looks closely at every page that is written by hand, and at two of each template", () => {
  const looks = lookOf([
    "api/a.html",
    "api/b.html",
    "api/c.html",
    "index.html",
    "methods/a.html",
    "methods/b.html",
    "methods/c.html",
    "wgsl/a.html",
  ]);
  expect([...looks].filter(([, look]) => look === "briefly").map(([path]) => path)).toEqual(["api/c.html"]);
});
