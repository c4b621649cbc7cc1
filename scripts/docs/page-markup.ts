/**
 * What is wrong with the markup of a page, as it is served, that is found without a browser: no language or title, not one first heading, names given twice (but for
 * the anchors that typedoc writes beside headings), pictures without a text, links without a name.
 */
export function markupFaults(html: string): string[] {
  const faults: string[] = [];
  if (!/<html\b[^>]* lang="[a-z]/.test(html)) faults.push("it has no language");
  if (!/<title>[^<]+<\/title>/.test(html)) faults.push("it has no title");
  const numHeadings = [...html.matchAll(/<h1\b/g)].length;
  if (numHeadings !== 1) faults.push(`it has ${numHeadings} first headings`);
  const ids = [...html.replace(/<a id="[^"]*"><\/a>/g, "").matchAll(/<[a-z][^>]*? id="([^"]+)"/g)].map(([, id]) => id!);
  for (const id of new Set(ids.filter((one, index) => ids.indexOf(one) !== index))) faults.push(`two elements are called ${id}`);
  for (const [image] of html.matchAll(/<img\b[^>]*>/g)) if (!/ alt(=|[\s>])/.test(image)) faults.push(`a picture has no text: ${image}`);
  for (const [link, attributes, inside] of html.matchAll(/<a\b([^>]* href=[^>]*)>(.*?)<\/a>/gs)) {
    const isNamed =
      / aria-label="[^"]/.test(attributes!) || /\S/.test(inside!.replace(/<[^>]*>/g, "")) || / (alt|aria-label)="[^"]/.test(inside!);
    if (!isNamed && !attributes!.includes('aria-hidden="true"')) faults.push(`a link has no name: ${link.slice(0, 200)}`);
  }
  return faults;
}
