const compiled = new Map<string, RegExp>();

/**
 * Shell patterns as Python's `fnmatchcase` reads them: `*` is anything, also across `/`; `?` one character; `[abc]`, `[!abc]`, `[a-z]`.
 * A pattern that ends with `/` stands for everything below that folder.
 */
export function matchesGlob(path: string, pattern: string): boolean {
  let regExp = compiled.get(pattern);
  if (!regExp) compiled.set(pattern, (regExp = globToRegExp(pattern.endsWith("/") ? `${pattern}*` : pattern)));
  return regExp.test(path);
}

/** The files that match one of `include` (all, when it is not given) and none of `exclude`. */
export function filterFiles<T extends { path: string }>(
  files: readonly T[],
  include?: readonly string[],
  exclude?: readonly string[],
): T[] {
  return files.filter(
    ({ path }) =>
      (!include || include.some((pattern) => matchesGlob(path, pattern))) && !exclude?.some((pattern) => matchesGlob(path, pattern)),
  );
}

function globToRegExp(pattern: string): RegExp {
  let source = "";
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i]!;
    const end = char === "[" ? pattern.indexOf("]", i + (pattern[i + 1] === "!" ? 3 : 2)) : -1;
    if (end > 0) {
      source += characterClass(pattern.slice(i + 1, end));
      i = end;
    } else source += char === "*" ? ".*" : char === "?" ? "." : char.replace(/[\\^$.*+?()[\]{}|/]/, String.raw`\$&`);
  }
  return new RegExp(`^${source}$`, "su");
}

/** `a-z`, `!a-z`: the inside of brackets; an empty range such as `z-a` matches nothing. */
function characterClass(inside: string): string {
  const negated = inside.startsWith("!");
  const characters = Array.from(inside.slice(negated ? 1 : 0));
  let set = "";
  for (let i = 0; i < characters.length; i++) {
    const from = characters[i]!;
    const isRange = characters[i + 1] === "-" && i + 2 < characters.length;
    const to = isRange ? characters[i + 2]! : from;
    if (isRange) i += 2;
    if (from <= to) set += `${escapeInClass(from)}-${escapeInClass(to)}`;
  }
  if (set === "") return negated ? "." : "(?!)";
  return `[${negated ? "^" : ""}${set}]`;
}

const escapeInClass = (char: string): string => char.replace(/[\\\]^[-]/, String.raw`\$&`);
