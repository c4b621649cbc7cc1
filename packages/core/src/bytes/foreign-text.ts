/** What else the text of a file may be that should hold JSON, by how it begins, and what to do. */
const others: readonly (readonly [start: RegExp, what: string])[] = [
  [/^version https:\/\/git-lfs/, "a Git LFS pointer, not the file; fetch the file with `git lfs pull`"],
  [
    /^\s*<(?:!doctype|html|head|\?xml|!--)/i,
    "a page of HTML, as a site shows it for a file that it does not give; download the file itself",
  ],
  [/^GGUF/, "a GGUF file, which only runtimes read; take the model's files in Hugging Face layout"],
  [/^[^\0]{0,3}\0/, "UTF-16 text; save the file as UTF-8"],
  [/^[\ufffe\ufeff\ufffd]{2}/, "UTF-16 text; save the file as UTF-8"],
  [/^\s*$/, "an empty file; download it again"],
];

/** What a text is that was read as UTF-8 and holds no JSON, as `got` of a message with what to do; undefined where nobody can tell. */
export function foreignText(text: string): string | undefined {
  const start = text.slice(0, 200);
  return others.find(([expression]) => expression.test(start))?.[1];
}
