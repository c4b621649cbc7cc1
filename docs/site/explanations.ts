import { explanations, printedCodes, type PrintedCode } from "../../packages/cli/src/explain/index.js";

/** Codes in the order of the alphabet. */
export const codes: readonly PrintedCode[] = (Object.keys(printedCodes) as PrintedCode[]).sort();

/** A page for each code: what `kto explain` prints of it. */
export function explanationPages(): { path: string; content: string }[] {
  return codes.map((code) => {
    const { about, remedies } = explanations[code];
    const lines = [
      `# ${code}`,
      "",
      `**${capital(printedCodes[code])}.** ${asText(about)}`,
      "",
      "| what may be the case | what to do |",
      "| --- | --- |",
      ...remedies.map(({ cause, cure }) => `| ${asText(cause)} | ${asText(cure)} |`),
      "",
      `\`kto explain ${code}\` prints this without a network. In a program it is \`error.code === "${code}"\`, and the facts are fields of the error.`,
      "",
      "All codes: [Errors by their codes](index.md).",
    ];
    return { path: `docs/troubleshooting/${code}.md`, content: `${lines.join("\n")}\n` };
  });
}

/** A table of all codes, each with a link to its page. */
export function codeTable(): string[] {
  return ["| code | what it means |", "| --- | --- |", ...codes.map((code) => `| [\`${code}\`](${code}.md) | ${printedCodes[code]} |`)];
}

function capital(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** A sentence with what is spelt as a field, a flag or a variable in the type of code. */
function asText(sentence: string): string {
  return sentence
    .split(/(`[^`]*`)/)
    .map((part) =>
      part.startsWith("`")
        ? part
        : part
            .replaceAll(/(?<![\w`])(--[a-z_-]+( true)?|[a-z]+(_[a-z0-9]+)+|[A-Z]+(_[A-Z]+)+|\{%.*?%\})(?![\w`])/g, "`$1`")
            .replaceAll("<", "&lt;")
            .replaceAll("|", "\\|"),
    )
    .join("");
}
