/** True for text that begins as a page of HTML, with or without comments before it. */
export function beginsAsHtml(text: string): boolean {
  let rest = text.trimStart();
  while (rest.startsWith("<!--")) {
    const end = rest.indexOf("-->", 4);
    if (end < 0) return false;
    rest = rest.slice(end + 3).trimStart();
  }
  return /^<(?:!doctype html|html|head|body)\b/i.test(rest);
}
