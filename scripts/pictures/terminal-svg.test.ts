import { expect, it } from "vitest";
import { terminalSvg } from "./terminal-svg.js";

const palette = { background: "#000", text: "#fff", colors: { 2: "#0f0" } };
const of = (output: string) => terminalSvg(output, { columns: 20, from: /^first/, until: /^last/, palette, title: "a <title>" });

it("has the words at their columns, in their colours, as a terminal would show them in the end", async () => {
  const svg = await of("before\r\nfirst \u001b[32mgreen\u001b[0m <b>\r\nbar: 10%\r\u001b[Jdone\r\n\r\nlast\r\n");
  expect(svg).toContain("<title>a &lt;title&gt;</title>");
  expect(svg.match(/>([^<\n]+)<\/text>/g)).toEqual([">first</text>", ">green</text>", ">&lt;b&gt;</text>", ">done</text>"]);
  expect(svg).toMatch(/x="66\.4" y="29\.5" textLength="42"[^>]*fill="#0f0">green/); // the seventh column of 8.4 behind a margin of 16
  expect(svg).toContain('height="68"'); // two lines of 18 and two margins: blank lines at the end are left out
});

it("draws braille, blocks and lines, each dot and each end", async () => {
  const svg = await of("first\r\n⣿⠁ ▄░\r\n└─\r\nlast\r\n");
  const paths = [...svg.matchAll(/<path d="([^"]+)"/g)].map(([, path]) => path!);
  expect(paths[0]!.match(/h0/g)).toHaveLength(9);
  expect(paths[1]!.match(/l/g)).toHaveLength(4);
  expect(svg.match(/<rect [^>]*height="(?:9|18)"/g)).toHaveLength(2);
});

it("says which line is missing", async () => {
  await expect(of("something else\r\n")).rejects.toThrow("expected one with /^first/ and then one with /^last/");
  await expect(of("first\r\n")).rejects.toThrow(RangeError);
});
