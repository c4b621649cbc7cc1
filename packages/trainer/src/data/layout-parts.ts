import {
  formatOf,
  isLabelled,
  isPaired,
  layoutOfDataset,
  type DataNotes,
  type DataRow,
  type Dataset,
  type Layout,
  type LayoutChoice,
  type RowFormat,
} from "@kto/datasets";

/** Rows of one layout: a dataset, or one of those that it was put together of. */
export interface LayoutPart {
  /** Undefined for a dataset that has no parts. */
  name: string | undefined;
  dataset: Dataset<DataRow>;
  layout: Layout;
  format: RowFormat;
}

/** What the rows of a dataset are. */
export interface LayoutParts {
  parts: readonly LayoutPart[];
  /** The part that row `index` is of. */
  partOf(index: number): LayoutPart;
  /** That of the first part; `parts` has all where there are several that differ. */
  format: DataFormat;
  /** Columns that a part has and its layout does not read. */
  unreadColumns: string[];
}

/** What kind of rows data holds. */
export interface DataFormat extends RowFormat {
  /** Of data that was put together of several kinds of rows, each of them. */
  parts?: RowFormat[];
}

/** The kinds of rows that data holds: one, but for data that was put together. */
export function formatsOf({ parts, ...format }: DataFormat): RowFormat[] {
  return parts ?? [format];
}

/**
 * Tells the layout of a dataset, and of each part where it was put together of several. How rows are read is noted, of each part. Throws `RowError`, which names the part,
 * for columns that are no layout among those.
 */
export function layoutParts(dataset: Dataset<DataRow>, notes: DataNotes, among?: LayoutChoice): LayoutParts {
  const given = dataset.parts;
  const parts = (given?.parts ?? [{ name: undefined, dataset }]).map((part): LayoutPart => {
    const layout = layoutOfDataset(part.dataset, among, part.name);
    return { ...part, layout, format: formatOf(part.dataset, layout) };
  });
  for (const part of parts) noteLayout(part, notes);
  const formats = parts.map(({ format }) => format);
  const isOneKind = formats.every((format) => JSON.stringify(format) === JSON.stringify(formats[0]));
  const unread = parts.flatMap(({ dataset: { columnNames }, layout }) => columnNames.filter((column) => !layout.reads.includes(column)));
  return {
    parts,
    partOf: given ? (index) => parts[given.partOf(index)]! : () => parts[0]!,
    format: { ...formats[0]!, ...(!isOneKind && { conversational: formats.some(({ conversational }) => conversational), parts: formats }) },
    unreadColumns: [...new Set(unread)],
  };
}

/** Notes what the rows of a part are, where they are not laid out as trl lays them out. */
function noteLayout({ name: part, dataset, layout, format }: LayoutPart, notes: DataNotes): void {
  const { name, title, columns, becomes, shape } = layout;
  const [kind, whose] = part === undefined ? ["layout", "the rows"] : [`layout of ${part}`, `the rows of ${part}`];
  if (name !== shape) notes.add(kind, `${whose} are ${title} (${columns.replaceAll("`", "")}): ${becomes.replaceAll("`", "")}`);
  const isPairs = isPaired(shape);
  if (isPairs && isLabelled(dataset))
    notes.add("label of pairs", "the column label is not read beside two answers, of which one is desirable and one is not");
  const { chosen } = dataset.at(0);
  if (isPairs && !format.conversational && typeof chosen === "string" && /^\s*Human:[^]*\n\s*Assistant:/.test(chosen))
    notes.add(
      "dialogues as text",
      "the texts are dialogues of Human: and Assistant:, and are trained on as text, without the chat template, as trl does",
    );
}
