/**
 * A file pattern as a regular expression over paths: `*` and `?` stay within a name, `**` crosses folders, `[0-9]` and `[!a]` are sets, `{a,b}` either.
 */
export function pathPattern(pattern: string): RegExp {
  const parts = pattern.replace(/^\.\//, "").matchAll(/\*\*\/|\*\*|\*|\?|\[!?[^\]]+\]|\{[^{}]+\}|[^*?[{]+|./gs);
  return new RegExp(`^${Array.from(parts, ([part]) => translated(part)).join("")}$`, "s");
}

function translated(part: string): string {
  if (part === "**/") return "(?:.*/)?";
  if (part === "**") return ".*";
  if (part === "*") return "[^/]*";
  if (part === "?") return "[^/]";
  if (part.startsWith("[") && part.length > 1) return part.replace(/^\[!/, "[^").replaceAll("\\", "\\\\");
  if (part.startsWith("{") && part.length > 1) return `(?:${part.slice(1, -1).split(",").map(quoted).join("|")})`;
  return quoted(part);
}

function quoted(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
