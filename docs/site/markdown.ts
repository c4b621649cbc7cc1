import katex from "@vscode/markdown-it-katex";
import type { MarkdownRenderer } from "vitepress";
import { siteBase, siteLink, sourceOf } from "./repository.js";

type Plugin = (md: MarkdownRenderer, options: { throwOnError: boolean; strict: string }) => void;

/** A CommonJS module, whose default Node gives as a field of the default; its types are of another copy of markdown-it's. */
const formulas = ((katex as unknown as { default?: unknown }).default ?? katex) as unknown as Plugin;

/** What pages may hold besides the Markdown of VitePress: formulas, and links that also lead somewhere where the file is read in the repository. */
export function extendMarkdown(md: MarkdownRenderer): void {
  md.use(formulas, { throwOnError: true, strict: "error" });
  for (const name of ["math_inline", "math_inline_block", "math_block"]) {
    const render = md.renderer.rules[name];
    if (render) md.renderer.rules[name] = (...given) => withoutVue(render(...given));
  }
  for (const name of ["text", "code_inline"]) {
    const render = md.renderer.rules[name]!;
    md.renderer.rules[name] = (...given) => render(...given).replaceAll("{{", "&#123;&#123;"); // pages speak of templates, and are none
  }
  const renderCode = md.renderer.rules["code_inline"]!;
  md.renderer.rules["code_inline"] = (tokens, index, ...rest) => {
    const code = renderCode(tokens, index, ...rest);
    const kernel = /^npm run kernels:print (\w+)$/.exec(tokens[index]!.content)?.[1]; // what that prints is a page here
    return kernel === undefined ? code : `<a href="${siteBase}wgsl/${kernel}.html">${code}</a>`;
  };
  md.core.ruler.push("links of the repository", ({ tokens, env }) => {
    const source = sourceOf((env as { relativePath: string }).relativePath);
    for (const { children } of tokens) {
      for (const token of children ?? []) {
        const href = token.type === "link_open" ? token.attrGet("href") : null;
        if (href) token.attrSet("href", siteLink(decodeURI(href), source));
      }
    }
  });
}

/** Markup that Vue takes as it is, since formulas have braces; a formula of its own line scrolls, also by keyboard. */
function withoutVue(markup: string): string {
  return markup.replace(/^(\s*)<(span|div)\b/, "$1<$2 v-pre").replace(/^(\s*)<p\b/, '$1<p v-pre tabindex="0"');
}
