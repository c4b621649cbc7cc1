/** Attributes of an element; `text` is its content, never markup. */
export interface Attributes {
  class?: string;
  text?: string;
  [attribute: string]: string | undefined;
}

/** A new element with attributes and children. Text goes in as text. */
export function element<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  { text, ...attributes }: Attributes = {},
  children: readonly (Node | undefined)[] = [],
): HTMLElementTagNameMap[Name] {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(attribute, value);
  if (text !== undefined) made.textContent = text;
  made.append(...children.filter((child) => child !== undefined));
  return made;
}

/** A table with a row of heads; the first cell of each row is its head. Cells are texts or elements. */
export function table(caption: string, heads: readonly string[], rows: readonly (readonly (string | Node)[])[]): HTMLElement {
  const cell = (name: "td" | "th", content: string | Node, scope?: string): HTMLElement =>
    typeof content === "string" ? element(name, { text: content, scope }) : element(name, { scope }, [content]);
  const body = rows.map((row) =>
    element(
      "tr",
      {},
      row.map((content, index) => (index === 0 ? cell("th", content, "row") : cell("td", content))),
    ),
  );
  const whole = element("table", {}, [
    element("caption", { text: caption }),
    element("thead", {}, [
      element(
        "tr",
        {},
        heads.map((head) => cell("th", head, "col")),
      ),
    ]),
    element("tbody", {}, body),
  ]);
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, [whole]); // wide tables scroll by keyboard too
}

/** A section of the page with its head, for the list of sections. */
export function section(id: string, title: string, children: readonly (Node | undefined)[]): HTMLElement {
  return element("section", { id, "aria-labelledby": `${id}-head` }, [element("h2", { id: `${id}-head`, text: title }), ...children]);
}
