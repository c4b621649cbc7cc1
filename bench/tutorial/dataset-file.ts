import { parquetWriteBuffer, type SchemaElement } from "hyparquet-writer";
import type { KtoMixRow } from "./conversations.js";

/** `list<struct<content: string, role: string>>` under the names that Python's writer gives. */
function messages(name: string): SchemaElement[] {
  const text = (field: string): SchemaElement => ({
    name: field,
    type: "BYTE_ARRAY",
    converted_type: "UTF8",
    repetition_type: "OPTIONAL",
  });
  return [
    { name, converted_type: "LIST", repetition_type: "OPTIONAL", num_children: 1 },
    { name: "list", repetition_type: "REPEATED", num_children: 1 },
    { name: "element", repetition_type: "OPTIONAL", num_children: 2 },
    text("content"),
    text("role"),
  ];
}

/** A Parquet file of rows in the schema of trl-lib/kto-mix-14k, compressed with snappy, as that one is. */
export function encodeKtoRows(rows: readonly KtoMixRow[]): Uint8Array {
  const column = <Name extends keyof KtoMixRow>(name: Name): { name: Name; data: KtoMixRow[Name][] } => ({
    name,
    data: rows.map((row) => row[name]),
  });
  return new Uint8Array(
    parquetWriteBuffer({
      columnData: [column("prompt"), column("completion"), column("label")],
      schema: [
        { name: "schema", num_children: 3 },
        ...messages("prompt"),
        ...messages("completion"),
        { name: "label", type: "BOOLEAN", repetition_type: "OPTIONAL" },
      ],
    }),
  );
}
