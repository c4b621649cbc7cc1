import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** A page as it is told to a language model: where it is, what it is called and what it says. */
export interface ReadPage {
  /** Address from the base of the site: `methods/kto.html`. */
  address: string;
  title: string;
  /** In Markdown. */
  text: string;
}

const intro = `# kto

> Fine-tune language models with KTO, DPO, SFT, ORPO and CPO in TypeScript on WebGPU, in Node and in browsers, with the fields, numbers and files of trl, peft and transformers.

Each page is here as Markdown; llms-full.txt has all of them in one file.
`;

/** Writes llms.txt, a list of the pages; each page as Markdown beside its HTML; and llms-full.txt, all of them. */
export function writeLlms(folder: string, pages: readonly ReadPage[]): void {
  const sorted = pages.toSorted((a, b) => (a.address < b.address ? -1 : 1));
  const markdownOf = ({ address }: ReadPage): string => address.replace(/\.html$/, ".md");
  const lines = sorted.map((page) => `- [${page.title}](${markdownOf(page)})`);
  writeFileSync(join(folder, "llms.txt"), `${intro}\n${lines.join("\n")}\n`);
  writeFileSync(join(folder, "llms-full.txt"), sorted.map(({ address, text }) => `<!-- ${address} -->\n\n${text.trim()}\n`).join("\n"));
  for (const page of sorted) {
    const path = join(folder, markdownOf(page));
    mkdirSync(join(path, ".."), { recursive: true });
    writeFileSync(path, page.text);
  }
}
