/**
 * Template tag for WGSL: inserts strings and numbers, indents inserted text like the line it stands in, and refuses undefined, NaN and
 * infinities, which a shader cannot hold.
 */
export function wgsl(strings: TemplateStringsArray, ...values: (string | number)[]): string {
  let text = "";
  strings.forEach((part, index) => {
    text += part;
    if (index === strings.length - 1) return;
    const value = values[index];
    if (value === undefined || (typeof value === "number" && !Number.isFinite(value))) {
      throw new TypeError(`wgsl: value ${index + 1} is ${value}; after: ${text.slice(-60)}`);
    }
    const indent = /(?:^|\n)([ \t]*)$/.exec(text)?.[1] ?? "";
    text += String(value).split("\n").join(`\n${indent}`);
  });
  return dedent(text);
}

function dedent(text: string): string {
  const lines = text
    .replace(/^\n/, "")
    .replace(/\n[ \t]*$/, "")
    .split("\n");
  const margin = Math.min(...lines.filter((line) => line.trim()).map((line) => /^ */.exec(line)![0].length));
  return Number.isFinite(margin) ? lines.map((line) => line.slice(margin)).join("\n") : text;
}
