/** The cells of the record of a CSV text that begins at `start`, as far as the end of its line; what is no CSV was refused before. */
export function cellsOf(text: string, start: number, separator: string): string[] {
  const cells: string[] = [];
  const separatorCode = separator.charCodeAt(0);
  let at = start;
  for (;;) {
    let cell = "";
    if (text.charCodeAt(at) === 0x22) {
      for (;;) {
        const quote = text.indexOf('"', at + 1);
        const end = quote < 0 ? text.length : quote; // in the first letters of a file a quote may not be closed
        cell += text.slice(at + 1, end);
        at = end + 1;
        if (text.charCodeAt(at) !== 0x22) break;
        cell += '"';
      }
    }
    const rest = at;
    let code = text.charCodeAt(at);
    while (code !== separatorCode && code !== 0x0a && code !== 0x0d && at < text.length) code = text.charCodeAt(++at);
    cells.push(cell === "" ? text.slice(rest, at) : cell + text.slice(rest, at));
    if (code !== separatorCode || at >= text.length) return cells;
    at++;
  }
}
