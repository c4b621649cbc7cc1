import type { PageRun } from "../src/page-data.js";
import type { Sample, SampleToken } from "../src/run/run.js";
import { element, section } from "./elements.js";
import { shown } from "./numbers.js";

/** A log-ratio of this many nats has the full colour. */
const fullColour = 3;

/** Prompts with the answers before and after a run; undefined where there are none. */
export function samplesSection(run: PageRun, id: string, title: string): HTMLElement | undefined {
  if (run.samples.length === 0) return undefined;
  const isColoured = run.samples.some(({ tokens }) => tokens?.some(({ logRatio }) => logRatio !== undefined));
  return section(id, title, [isColoured ? legend() : undefined, ...run.samples.map(sampleArticle)]);
}

function sampleArticle({ prompt, split, row, before, after, isCut, tokens }: Sample, index: number): HTMLElement {
  const answer = (head: string, content: Node | undefined, wasCut = false): HTMLElement =>
    element("div", {}, [
      element("h4", { text: head }),
      content ?? element("p", { class: "none", text: "no answer yet" }),
      wasCut ? element("p", { class: "hint", text: "Cut off there: it is as long as answers might be." }) : undefined,
    ]);
  const plain = (text: string | undefined): HTMLElement | undefined =>
    text === undefined ? undefined : element("pre", { text: text === "" ? "(nothing)" : text });
  const data = split === "eval" ? "the evaluation data" : "the training data";
  const place = split === undefined ? "" : `: ${row === undefined ? "" : `row ${row} of `}${data}`;
  return element("article", { class: "sample" }, [
    element("h3", { text: `Prompt ${index + 1}${place}` }),
    element("pre", { class: "prompt", text: prompt }),
    element("div", { class: "answers" }, [
      answer("Before", plain(before), isCut?.before),
      answer("After", tokens ? colouredText(tokens) : plain(after), isCut?.after),
    ]),
  ]);
}

function colouredText(tokens: readonly SampleToken[]): HTMLElement {
  return element(
    "pre",
    {},
    tokens.map(({ text, logRatio }) => {
      if (logRatio === undefined) return element("span", { text });
      const token = element("span", { class: logRatio < 0 ? "token less" : "token more", text, title: `log-ratio ${shown(logRatio)}` });
      token.style.setProperty("--share", `${Math.round(70 * Math.min(1, Math.abs(logRatio) / fullColour))}%`);
      return token;
    }),
  );
}

function legend(): HTMLElement {
  const swatch = (kind: string, text: string): HTMLElement => {
    const made = element("span", { class: `token ${kind}`, text });
    made.style.setProperty("--share", "70%");
    return made;
  };
  return element("p", { class: "hint" }, [
    element("span", { text: "Tokens of the answer after training: the policy finds them " }),
    swatch("more", "likelier"),
    element("span", { text: " or " }),
    swatch("less", "less likely"),
    element("span", { text: ` than the reference, in full colour from ${fullColour} nats on. Point at one for its log-ratio.` }),
  ]);
}
